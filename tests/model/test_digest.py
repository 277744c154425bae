from pathlib import Path

import pytest

from sparkscore.errors import ModelError
from sparkscore.model.digest import digest_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "MLmodel").write_text("flavors: {}")
    (tmp_path / "data" / "model.bin").write_bytes(b"\x00\x01")
    return tmp_path


def test_equal_files_have_equal_digests_wherever_they_lie(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "data").mkdir()
    (other / "empty").mkdir()
    (other / "data" / "model.bin").write_bytes(b"\x00\x01")
    (other / "MLmodel").write_text("flavors: {}")
    assert digest_of(folder) == digest_of(str(other))
    assert len(digest_of(folder)) == 64


def test_one_flipped_bit_changes_the_digest(folder: Path) -> None:
    before = digest_of(folder)
    (folder / "data" / "model.bin").write_bytes(b"\x00\x00")
    assert digest_of(folder) != before


def test_a_renamed_file_changes_the_digest(folder: Path) -> None:
    before = digest_of(folder)
    (folder / "data" / "model.bin").rename(folder / "data" / "other.bin")
    assert digest_of(folder) != before


def test_a_file_more_changes_the_digest(folder: Path) -> None:
    before = digest_of(folder)
    (folder / "data" / "sitecustomize.py").touch()
    assert digest_of(folder) != before


def test_a_link_is_refused(folder: Path) -> None:
    (folder / "data" / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(ModelError, match="passwd among the model's files is a link"):
        digest_of(folder)


def test_a_linked_folder_is_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (folder / "code").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(ModelError, match="code among the model's files is a link"):
        digest_of(folder)


@pytest.mark.parametrize("name", ["nothing", "absent"])
def test_no_files_are_no_model(tmp_path: Path, name: str) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ModelError, match="no model files"):
        digest_of(tmp_path / name)
