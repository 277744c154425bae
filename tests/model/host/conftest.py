"""A node of its own for each test, and processes that end with it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkscore.model import unpacked
from sparkscore.model.host import heritage, start
from tests.model.host.node import Node


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A temporary folder that nobody else has; the model processes that the test starts from here end with it."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(start, "_started", [])
    monkeypatch.setattr(heritage, "_kept", [])
    monkeypatch.setattr(unpacked, "_uses", {})
    made = Node(tmp_path)
    yield made
    made.close()
    for process in start._started:
        process.kill()
        process.wait()
