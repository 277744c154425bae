"""Files that a verb makes for a person: whole or not at all, and never over another one."""

import os
from pathlib import Path

import pytest

from sparkscore.cli.new_files import create_new_file
from sparkscore.errors import ConfigError
from tests.faults.disk import small_disk


def refuse_links(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_of_two_at_once_one_makes_the_file_and_the_other_is_told(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"

    def make_early(_: Path) -> None:
        create_new_file("--to", file, "early")

    with pytest.raises(ConfigError, match="exists"):
        create_new_file("--to", file, "late", check=make_early)
    assert file.read_text() == "early"
    assert [*tmp_path.iterdir()] == [file]


def test_where_there_are_no_links_the_file_is_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "hardlink_to", refuse_links)
    file = create_new_file("--to", tmp_path / "job.yaml", "text")
    with pytest.raises(ConfigError, match="exists"):
        create_new_file("--to", file, "other")
    assert (file.read_text(), [*tmp_path.iterdir()]) == ("text", [file])


def test_what_the_check_refuses_leaves_no_file(tmp_path: Path) -> None:
    def refuse(_: Path) -> None:
        raise ConfigError("wrong", "right", "correct it")

    with pytest.raises(ConfigError, match="wrong"):
        create_new_file("--to", tmp_path / "job.yaml", "text", check=refuse)
    assert [*tmp_path.iterdir()] == []


def test_a_link_to_nowhere_is_something_that_exists(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="exists"):
        create_new_file("--to", tmp_path / "job.yaml", "text")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("path", ["/proc/none/job.yaml", "x" * 300])
def test_a_place_that_cannot_be_written_is_told(path: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--to"):
        create_new_file("--to", tmp_path / path, "text")
    assert [*tmp_path.iterdir()] == []


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        with pytest.raises(ConfigError, match=os.strerror(28)):
            create_new_file("--to", disk / "job.yaml", "x" * 4_000_000)
        assert [*disk.iterdir()] == []
