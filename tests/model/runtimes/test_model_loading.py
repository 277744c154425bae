"""Executors decide once more, from the files that they have."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import mlflow
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

from sparkscore.errors import ModelError, PredictError, SparkscoreError, TrustRefused
from sparkscore.model.distribution.executor_packages import compare_own_packages
from sparkscore.model.distribution.shipped_model import SklearnFile
from sparkscore.model.runtimes import model_loading
from sparkscore.model.trust.model_digest import compute_model_digest
from sparkscore.records import TrustPolicy
from tests.model.shelf import Answers, Placed, Shelf, columns, loads_in, signature
from tests.model.trust.hostile import SKLEARN, harmful_pickle, mlmodel, write_model

pytestmark = pytest.mark.usefixtures("own_environment")
STRICT = TrustPolicy(pickle="refuse", code="refuse")


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[Path]:
    """What a hostile pickle would make."""
    yield tmp_path / "sentinel"
    assert not (tmp_path / "sentinel").exists()


def placed_pickle(shelf: Shelf, tmp_path: Path, sentinel: Path, trust: TrustPolicy) -> Placed:
    """A pickle, shipped as if a driver had been told that it is something else."""
    folder = write_model(tmp_path / "model", mlmodel(sklearn=SKLEARN), model__skops=harmful_pickle(sentinel))
    model = shelf.placed(shelf.put("trust-line", LinearRegression().fit([[1.0]], [1.0]), LINE)).model
    file = SklearnFile("model.skops", "pickle", None, "predict")
    return Placed(replace(model, digest=compute_model_digest(folder), file=file, trust=trust), str(folder))


LINE = signature(columns(x="double"), columns(y="double"))


def test_an_executor_refuses_a_pickle_before_it_is_loaded(shelf: Shelf, tmp_path: Path, sentinel: Path) -> None:
    with pytest.raises(TrustRefused, match="a pickle when it is loaded"):
        placed_pickle(shelf, tmp_path, sentinel, STRICT).scorer()


def test_an_executor_refuses_types_that_the_model_itself_declares_trusted(shelf: Shelf) -> None:
    line = LinearRegression().fit([[1.0]], [1.0])
    placed = shelf.placed(shelf.put("trust-skops", line, LINE, serialization_format="skops"))
    replace(placed, model=replace(placed.model, trust=STRICT)).scorer()
    named = SklearnFile("model.skops", "skops", ("evil.Type",), "predict")
    with pytest.raises(TrustRefused, match=r"evil\.Type"):
        replace(placed, model=replace(placed.model, file=named, trust=STRICT)).scorer()


def test_an_executor_refuses_another_digest_than_the_settings_list(
    shelf: Shelf, tmp_path: Path, sentinel: Path
) -> None:
    with pytest.raises(TrustRefused, match="have the digest"):
        placed_pickle(shelf, tmp_path, sentinel, TrustPolicy(digests=("0" * 64,))).scorer()


def test_an_executor_judges_what_mlflow_reads_too(shelf: Shelf, tmp_path: Path, sentinel: Path) -> None:
    placed = placed_pickle(shelf, tmp_path, sentinel, TrustPolicy(loaders=("mlflow.onnx",)))
    with pytest.raises(TrustRefused, match=r"loader module 'mlflow\.sklearn'"):
        replace(placed, model=replace(placed.model, runtime="pyfunc", file=None)).scorer()


def test_judging_a_model_of_its_own_library_needs_no_yaml(
    shelf: Shelf, tmp_path: Path, sentinel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = placed_pickle(shelf, tmp_path, sentinel, STRICT)
    for name in [*sys.modules]:
        if name.split(".")[0] in ("yaml", "pydantic") or name.startswith("sparkscore.settings"):
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(TrustRefused):
        placed.scorer()


def test_a_model_that_is_trusted_is_loaded_and_a_driver_warns_of_it(shelf: Shelf) -> None:
    uri = shelf.put("trusted", Answers(lambda frame: frame["x"] * 2), LINE)
    assert any("model.pkl is unpickled" in text for text in shelf.pinned(uri).warnings)
    assert shelf.placed(uri).scorer()([pa.array([1.5])]).predictions.to_pylist() == [3.0]


def test_a_loader_of_the_models_own_is_loaded_where_it_is_listed_and_refused_unread_elsewhere(
    shelf: Shelf, tmp_path: Path
) -> None:
    code, data = tmp_path / "own_loader.py", tmp_path / "data.txt"
    code.write_text(LOADER.format(imported=str(tmp_path / "imported")))
    data.write_text("3")
    log = partial(mlflow.pyfunc.log_model, loader_module="own_loader", data_path=str(data), code_paths=[str(code)])
    uri = shelf.logged("own-loader", log, LINE)
    with pytest.raises(TrustRefused, match="names the loader module 'own_loader', which is not MLflow's own") as caught:
        shelf.pinned(uri)
    assert "list the module in model.trust.loaders if you trust it" in caught.value.do
    assert not (tmp_path / "imported").exists()
    listed = TrustPolicy(loaders=("own_loader",))
    placed = shelf.placed(uri, trust=listed)
    assert placed.scorer()([pa.array([1.5])]).predictions.to_pylist() == [4.5]
    with pytest.raises(TrustRefused, match="code"):
        shelf.placed(uri, trust=replace(listed, code="refuse"))


LOADER = """from pathlib import Path

Path("{imported}").touch()


class Model:
    def __init__(self, factor):
        self.factor = factor

    def predict(self, frame):
        return frame["x"] * self.factor


def _load_pyfunc(path):
    return Model(int(Path(path).read_text()))
"""


class TestPackages:
    def test_that_are_missing_are_warned_of_by_default(self, shelf: Shelf, tmp_path: Path) -> None:
        model = Answers(lambda frame: frame["x"])
        uri = shelf.put("old-packages", model, LINE, pip_requirements=["numpy==1.0.1", "absent-package>=2"])
        assert not [one for one in shelf.pinned(uri).warnings if "packages" in one]  # the driver does not load it
        (text,) = compare_own_packages(shelf.pinned(uri))
        assert "numpy==1.0.1 is needed, and " in text
        assert "absent-package>=2 is needed, and not installed" in text

    def test_that_are_missing_stop_an_executor_before_it_loads_where_that_is_asked_for(
        self, shelf: Shelf, tmp_path: Path
    ) -> None:
        (tmp_path / "loads").mkdir()

        def answer(frame, loads=tmp_path / "loads"):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            (loads / "1-x").touch()
            return frame["x"]

        uri = shelf.put("needy", Answers(answer), LINE, pip_requirements=["numpy==1.0.1"])
        placed = shelf.placed(uri)
        strict = replace(placed, model=replace(placed.model, trust=TrustPolicy(requirements="refuse")))
        with pytest.raises(ModelError, match=r"other packages than an executor has: numpy==1\.0\.1"):
            strict.scorer()
        assert not loads_in(tmp_path / "loads")

    def test_that_are_missing_are_named_where_the_model_cannot_be_loaded(self, shelf: Shelf, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "model", mlmodel(), model__pkl=b"torn", requirements__txt="numpy==1.0.1")
        model = shelf.placed(shelf.put("torn", Answers(lambda frame: frame["x"]), LINE)).model
        torn = Placed(replace(model, digest=compute_model_digest(folder)), str(folder))
        with pytest.raises(PredictError, match=r"could not be loaded .*; .* other packages: numpy==1\.0\.1 is needed"):
            torn.scorer()

    def test_are_those_of_the_process_that_loads(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        placed = shelf.placed(shelf.put("here", Answers(lambda frame: frame["x"]), LINE))
        strict = replace(placed, model=replace(placed.model, trust=TrustPolicy(requirements="refuse")))
        strict.scorer()
        monkeypatch.setattr(model_loading, "find_requirement_mismatches", lambda *_: ("x is needed",))
        with pytest.raises(SparkscoreError, match="x is needed"):
            strict.scorer()
