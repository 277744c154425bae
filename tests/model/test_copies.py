import shutil
from pathlib import Path
from typing import Any

import pytest

from sparkscore.errors import ModelError
from sparkscore.model.copies import private_copy
from sparkscore.model.digest import digest_of


def fetch(place: Path) -> Path:
    """A download."""
    folder = place / "artifacts"
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {}")
    return folder


def test_a_copy_is_made_once_and_used_again(tmp_path: Path) -> None:
    folder, digest = private_copy(fetch, str(tmp_path / "new" / "copies"))
    inode = folder.stat().st_ino
    assert private_copy(fetch, str(tmp_path / "new" / "copies")) == (folder, digest)
    assert folder.stat().st_ino == inode
    assert [entry.name for entry in folder.parent.iterdir()] == [digest]


def test_a_copy_with_a_link_in_it_is_replaced(tmp_path: Path) -> None:
    folder, digest = private_copy(fetch, str(tmp_path))
    (folder / "passwd").symlink_to("/etc/passwd")
    private_copy(fetch, str(tmp_path))
    assert digest_of(folder) == digest


def test_a_failed_download_leaves_nothing(tmp_path: Path) -> None:
    def broken(place: Path) -> Path:
        fetch(place)
        raise ModelError("lost")

    with pytest.raises(ModelError, match="lost"):
        private_copy(broken, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def rival(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another process puts what lies in this folder to the copy's place, just before this one does."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    remove = shutil.rmtree

    def removed(folder: Any, **more: Any) -> None:
        remove(folder, **more)
        if Path(folder).parent.name == "copies" and not Path(folder).name.startswith("."):
            shutil.copytree(theirs, folder)

    monkeypatch.setattr(shutil, "rmtree", removed)
    return theirs


def test_another_process_may_be_faster(tmp_path: Path, rival: Path) -> None:
    (rival / "MLmodel").write_text("flavors: {}")
    folder, digest = private_copy(fetch, str(tmp_path / "copies"))
    assert digest_of(folder) == digest


def test_another_process_that_put_something_else_there_is_an_error(tmp_path: Path, rival: Path) -> None:
    (rival / "MLmodel").write_text("other")
    with pytest.raises(OSError, match="not empty"):
        private_copy(fetch, str(tmp_path / "copies"))
