"""An alias read from a registry's SQLite file: the same answer as MLflow's, or none."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sparkscore.errors import ModelNotFound
from sparkscore.model.registry.model_resolution import look_up_model_version
from sparkscore.model.registry.sqlite_registry import find_sqlite_alias
from tests.model.shelf import Shelf


@pytest.fixture(scope="module", autouse=True)
def line(shelf: Shelf) -> None:
    client = shelf.client
    client.create_registered_model("row")
    for alias in ("champion", "challenger"):
        version = client.create_model_version("row", source=str(shelf.folder))
        client.set_registered_model_alias("row", alias, version.version)


@pytest.fixture
def copy(shelf: Shelf, tmp_path: Path) -> Path:
    """The registry's file, to be changed."""
    return Path(shutil.copy(shelf.uri.removeprefix("sqlite:///"), tmp_path / "a #copy?.db"))


def change(file: Path, statement: str) -> str:
    with closing(sqlite3.connect(file)) as database:
        database.execute(statement)
        database.commit()
    return f"sqlite:///{file}"


@pytest.mark.parametrize("alias", ["champion", "challenger"])
def test_it_is_the_version_that_mlflow_names(shelf: Shelf, alias: str) -> None:
    said = shelf.client.get_registered_model("row").aliases[alias]
    assert find_sqlite_alias(shelf.uri, "row", alias) == str(said)


def test_an_alias_is_looked_up_without_mlflow(shelf: Shelf) -> None:
    script = f"""
import sys
from sparkscore.model.registry.model_resolution import look_up_model_version
print(look_up_model_version("models:/row@challenger", {shelf.uri!r}), "mlflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [find_sqlite_alias(shelf.uri, "row", "challenger"), "False"]


def test_what_is_not_there_is_left_to_mlflow_which_says_so(shelf: Shelf) -> None:
    assert find_sqlite_alias(shelf.uri, "row", "nobody") is None
    assert find_sqlite_alias(shelf.uri, "column", "champion") is None
    with pytest.raises(ModelNotFound, match="no alias nobody on the model row"):
        look_up_model_version("models:/row@nobody", shelf.uri)


@pytest.mark.parametrize("uri", [None, "http://127.0.0.1:9", "sqlite:////nowhere/mlflow.db", "sqlite:///x.db?a=b"])
def test_any_other_registry_is_left_to_mlflow(uri: str | None) -> None:
    assert find_sqlite_alias(uri, "row", "champion") is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = '0123456789ab'",
        "DROP TABLE registered_model_aliases",
        "INSERT INTO registered_models (name, workspace) VALUES ('row', 'theirs')",
    ],
)
def test_a_database_that_mlflow_might_read_otherwise_is_left_to_it(copy: Path, statement: str) -> None:
    assert find_sqlite_alias(f"sqlite:///{copy}", "row", "champion") is None  # a name with a query's mark in it
    plain = copy.rename(copy.with_name("copy.db"))
    assert find_sqlite_alias(f"sqlite:///{plain}", "row", "champion") is not None
    assert find_sqlite_alias(change(plain, statement), "row", "champion") is None


def test_workspaces_are_left_to_mlflow(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    assert find_sqlite_alias(shelf.uri, "row", "champion") is None
