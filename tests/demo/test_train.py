"""Training and registering, on every twentieth flight."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest
import skops.io
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from sparkscore.demo import registry
from sparkscore.demo.recipe import INPUTS, flight_inputs
from sparkscore.demo.train import LeakSuspected, TrainedModel, train_champion
from sparkscore.errors import ModelError


def tracking_uri(home: Path) -> str:
    return f"sqlite:///{home}/mlflow.db"


def copied(registry_file: Path, folder: Path) -> Path:
    shutil.copy(registry_file, folder)
    return folder


def trained_in(home: Path, flights: pd.DataFrame) -> TrainedModel:
    return train_champion(flights, tracking_uri=tracking_uri(home), artifact_root=f"{home}/mlartifacts")


def champion_files(home: Path) -> str:
    client = MlflowClient(tracking_uri(home))
    version = client.get_model_version_by_alias("flight-delay", "champion")
    return client.get_model_version_download_uri("flight-delay", version.version).removeprefix("file://")


@pytest.fixture(scope="module")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry's database: MLflow takes seconds to make one, and a copy is as good."""
    folder = tmp_path_factory.mktemp("registry")
    MlflowClient(tracking_uri(folder))
    return folder / "mlflow.db"


@pytest.fixture(scope="module")
def home(empty_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(empty_registry, tmp_path_factory.mktemp("home"))


@pytest.fixture
def other_home(empty_registry: Path, tmp_path: Path) -> Path:
    return copied(empty_registry, tmp_path)


@pytest.fixture(scope="module")
def trained(home: Path, sample: pd.DataFrame) -> TrainedModel:
    return trained_in(home, sample)


def test_the_first_training_registers_the_champion(home: Path, trained: TrainedModel) -> None:
    assert (trained.name, trained.version, trained.reused) == ("flight-delay", "1", False)
    assert Path(champion_files(home)).is_relative_to(home / "mlartifacts")


def test_the_signature_names_every_input_with_its_type(home: Path, trained: TrainedModel) -> None:
    signature = mlflow.pyfunc.load_model(champion_files(home)).metadata.signature
    assert {column.name: column.type.name for column in signature.inputs} == dict(INPUTS)
    assert all(column.required for column in signature.inputs)
    assert (signature.outputs.inputs[0].type, signature.outputs.inputs[0].shape) == (np.dtype("float64"), (-1, 2))


def test_pyfunc_and_sklearn_give_the_same_probabilities(
    home: Path, trained: TrainedModel, sample: pd.DataFrame
) -> None:
    given = flight_inputs(sample.head(1000))
    through_pyfunc = mlflow.pyfunc.load_model(champion_files(home)).predict(given)
    natively = mlflow.sklearn.load_model(champion_files(home)).predict_proba(given)
    assert through_pyfunc.shape == (1000, 2)
    assert np.array_equal(through_pyfunc, natively)


def test_the_model_loads_without_a_type_that_needs_trust(home: Path, trained: TrainedModel) -> None:
    assert skops.io.get_untrusted_types(file=f"{champion_files(home)}/model.skops") == []


def test_the_example_is_an_input_of_the_model(home: Path, trained: TrainedModel) -> None:
    model = mlflow.pyfunc.load_model(champion_files(home))
    assert model.predict(model.input_example).shape == (5, 2)


def test_the_same_flights_are_not_trained_again(home: Path, trained: TrainedModel, sample: pd.DataFrame) -> None:
    assert trained_in(home, sample) == replace(trained, reused=True)


def test_other_flights_give_a_new_champion(sample: pd.DataFrame, other_home: Path) -> None:
    trained_in(other_home, sample)
    again = trained_in(other_home, sample.head(len(sample) - 100))
    assert (again.version, again.reused) == ("2", False)


def test_a_champion_whose_files_are_gone_is_trained_again(sample: pd.DataFrame, other_home: Path) -> None:
    trained_in(other_home, sample)
    shutil.rmtree(other_home / "mlartifacts")
    assert trained_in(other_home, sample).version == "2"
    assert Path(champion_files(other_home), "MLmodel").is_file()


def test_training_leaves_stdout_the_working_directory_and_mlflows_globals_alone(
    sample: pd.DataFrame,
    other_home: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    work = tmp_path_factory.mktemp("work")
    monkeypatch.chdir(work)
    before = mlflow.get_tracking_uri()
    trained_in(other_home, sample)
    assert capfd.readouterr().out == ""
    assert list(work.iterdir()) == []
    assert mlflow.get_tracking_uri() == before
    assert mlflow.active_run() is None


def test_an_input_that_knows_the_outcome_is_a_leak_and_nothing_is_registered(
    sample: pd.DataFrame, other_home: Path
) -> None:
    late = sample["arr_delay"].fillna(0) >= 15
    leaking = sample.assign(carrier=np.where(late, "LATE", "FINE"))
    with pytest.raises(LeakSuspected, match="known only after departure") as raised:
        trained_in(other_home, leaking)
    assert isinstance(raised.value, ModelError)
    assert MlflowClient(tracking_uri(other_home)).search_registered_models() == []


def test_a_registry_that_fails_is_not_taken_for_an_empty_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> NoReturn:
        raise MlflowException("no answer")

    client = MlflowClient(tracking_uri(home))
    monkeypatch.setattr(client, "get_model_version_by_alias", down)
    with pytest.raises(MlflowException, match="no answer"):
        registry.find_champion(client)
