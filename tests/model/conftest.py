"""One registry for the tests of the room."""

import os

import pytest

from sparkscore.model.runtimes import thread_limits
from tests.model.shelf import Shelf


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A registry on sqlite, and a folder for private copies; its path has a space in it."""
    return Shelf(tmp_path_factory.mktemp("the shelf"))


@pytest.fixture
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What loading a model sets for its process is undone: here the process is everybody's."""
    for name in (*thread_limits.THREAD_VARIABLES, "ORT_DISABLE_TELEMETRY", "MLFLOW_DISABLE_SCHEMA_DETAILS"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    monkeypatch.setattr(thread_limits, "_applied_thread_limit", None)
