"""A node of its own for each test, and processes that end with it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkscore.model.distribution import unpacked_model
from sparkscore.model.host import host_start, inherited_environment
from tests.model.host.node import Node


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A temporary folder that nobody else has; the model processes that the test starts from here end with it."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(host_start, "_host_processes", [])
    monkeypatch.setattr(inherited_environment, "_remembered", [])
    monkeypatch.setattr(unpacked_model, "_use_descriptors", {})
    made = Node(tmp_path)
    yield made
    made.close()
    for process in host_start._host_processes:
        process.kill()
        process.wait()
