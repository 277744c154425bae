"""Folders that a client of Spark Connect reaches itself."""

from pathlib import Path

import pytest
from pyarrow import fs

from sparkscore.errors import ConfigError
from sparkscore.store.client_folders import ClientFolder


def reach(folder: Path) -> ClientFolder:
    return ClientFolder(fs.LocalFileSystem(), str(folder), is_local=True)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A folder of a table, with a link to a folder outside."""
    folder = tmp_path / "stages" / "one"
    (folder / "_delta_log").mkdir(parents=True)
    (folder / "_delta_log" / "0.json").write_text("{}")
    (folder / "day=1").mkdir()
    (folder / "day=1" / "part.parquet").write_bytes(b"12345")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("kept")
    (folder / "link").symlink_to(tmp_path / "outside")
    return folder


def test_folders_and_sizes_are_listed_without_links(table: Path) -> None:
    assert reach(table).list_folders() == ["_delta_log", "day=1"]
    assert reach(table / "day=1").list_sizes() == {"part.parquet": 5}
    assert reach(table).measure()[0] == 7
    assert reach(table.parent / "absent").list_folders() == []


def test_a_folder_below_the_root_is_removed_and_what_its_links_mean_stays(table: Path) -> None:
    reach(table).remove_below(reach(table.parent))
    assert not table.exists()
    assert (table.parents[1] / "outside" / "kept").read_text() == "kept"


def test_a_folder_elsewhere_or_behind_a_link_is_not_removed(table: Path) -> None:
    for folder in (table.parents[1] / "outside", table.parent, table / ".." / ".." / "outside", table / "link"):
        with pytest.raises(ConfigError, match="is not below"):
            reach(folder).remove_below(reach(table.parent))
    assert (table / "day=1" / "part.parquet").exists()


def test_a_log_without_a_commit_is_removed_and_one_with_a_commit_stays(table: Path) -> None:
    assert not reach(table / "_delta_log").remove_if_empty()
    (table / "_delta_log" / "0.json").unlink()
    (table / "_delta_log" / "_commits").mkdir()
    assert reach(table / "_delta_log").remove_if_empty()
    assert not (table / "_delta_log").exists()
