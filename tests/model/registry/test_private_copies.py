import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sparkscore.errors import AccessDenied, ModelError
from sparkscore.model.registry.copy_origin import CopyOrigin
from sparkscore.model.registry.private_copies import (
    copy_bytes,
    fetch_private_copy,
    find_known_copy,
    find_private_copy,
    list_unused_copies,
    remove_private_copy,
)
from sparkscore.model.trust.model_digest import compute_former_digest, compute_model_digest


def fetch(place: Path) -> Path:
    """A download."""
    folder = place / "artifacts"
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {}")
    return folder


def test_a_copy_is_made_once_and_used_again(tmp_path: Path) -> None:
    folder, digest = fetch_private_copy(fetch, str(tmp_path / "new" / "copies"))
    inode = folder.stat().st_ino
    assert fetch_private_copy(fetch, str(tmp_path / "new" / "copies")) == (folder, digest)
    assert folder.stat().st_ino == inode
    assert [entry.name for entry in folder.parent.iterdir()] == [digest]


def test_a_copy_with_a_link_in_it_is_replaced(tmp_path: Path) -> None:
    folder, digest = fetch_private_copy(fetch, str(tmp_path))
    (folder / "passwd").symlink_to("/etc/passwd")
    fetch_private_copy(fetch, str(tmp_path))
    assert compute_model_digest(folder) == digest


class TestOrigin:
    """A copy that came from a version of a registry which, by all that shows from outside, is the same."""

    ORIGIN = CopyOrigin("a" * 64, "b" * 64)

    def refuse(self, _: Path) -> Path:
        raise AssertionError("a download")

    def test_nothing_is_downloaded_again(self, tmp_path: Path) -> None:
        first = fetch_private_copy(fetch, str(tmp_path), self.ORIGIN)
        assert fetch_private_copy(self.refuse, str(tmp_path), self.ORIGIN) == first
        assert find_known_copy(str(tmp_path), self.ORIGIN) == first

    @pytest.mark.parametrize("other", [CopyOrigin("a" * 64, "c" * 64), CopyOrigin("c" * 64, "b" * 64), None])
    def test_another_one_is(self, tmp_path: Path, other: CopyOrigin | None) -> None:
        fetch_private_copy(fetch, str(tmp_path), self.ORIGIN)
        with pytest.raises(AssertionError, match="a download"):
            fetch_private_copy(self.refuse, str(tmp_path), other)

    @pytest.mark.parametrize("content", ["flavors: []", None])
    def test_a_copy_that_was_changed_is_found_and_replaced(self, tmp_path: Path, content: str | None) -> None:
        folder, digest = fetch_private_copy(fetch, str(tmp_path), self.ORIGIN)
        (folder / "MLmodel").unlink()
        if content is not None:
            (folder / "MLmodel").write_text(content)
        assert find_known_copy(str(tmp_path), self.ORIGIN) is None
        assert fetch_private_copy(fetch, str(tmp_path), self.ORIGIN) == (folder, digest)
        assert compute_model_digest(folder) == digest

    def test_a_note_that_names_another_copy_or_none_is_not_believed(self, tmp_path: Path) -> None:
        fetch_private_copy(fetch, str(tmp_path), self.ORIGIN)
        (note,) = tmp_path.glob("origin-*")
        for text in (f"{self.ORIGIN.evidence} {'d' * 64}", f"{self.ORIGIN.evidence} ../{tmp_path.name}", "", "x"):
            note.write_text(text)
            assert find_known_copy(str(tmp_path), self.ORIGIN) is None

    def test_a_folder_that_others_can_write_to_knows_no_copy(self, tmp_path: Path) -> None:
        fetch_private_copy(fetch, str(tmp_path), self.ORIGIN)
        tmp_path.chmod(0o777)
        assert find_known_copy(str(tmp_path), self.ORIGIN) is None

    def test_the_note_goes_with_its_copy(self, tmp_path: Path) -> None:
        folder, _ = fetch_private_copy(fetch, str(tmp_path), self.ORIGIN)
        other = tmp_path / f"origin-{'e' * 64}"
        other.write_text(f"{'f' * 64} {'d' * 64}")
        for one in tmp_path.iterdir():
            aged(one)
        assert list_unused_copies(str(tmp_path), pinned=(), unused_since=WEEK_AGO) == [folder]
        remove_private_copy(folder)
        assert list(tmp_path.iterdir()) == [other]


def test_a_failed_download_leaves_nothing(tmp_path: Path) -> None:
    def broken(place: Path) -> Path:
        fetch(place)
        raise ModelError("lost")

    with pytest.raises(ModelError, match="lost"):
        fetch_private_copy(broken, str(tmp_path))
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
    folder, digest = fetch_private_copy(fetch, str(tmp_path / "copies"))
    assert compute_model_digest(folder) == digest


def test_another_process_that_put_something_else_there_is_an_error(tmp_path: Path, rival: Path) -> None:
    (rival / "MLmodel").write_text("other")
    with pytest.raises(OSError, match="not empty"):
        fetch_private_copy(fetch, str(tmp_path / "copies"))


WEEK_AGO = datetime.now(UTC) - timedelta(days=7)


def aged(*folders: Path) -> None:
    for folder in folders:
        os.utime(folder, (0, 0))


def test_old_copies_and_fetches_of_no_pinned_digest_are_unused(tmp_path: Path) -> None:
    old, pinned, young, fetch_left = (tmp_path / name for name in ("a" * 64, "b" * 64, "c" * 64, ".fetch-x"))
    for folder in (old, pinned, young, fetch_left, tmp_path / "notes"):
        folder.mkdir()
    (tmp_path / ("d" * 64)).symlink_to(old)
    aged(old, pinned, fetch_left, tmp_path / "notes")
    assert list_unused_copies(str(tmp_path), pinned={pinned.name}, unused_since=WEEK_AGO) == [fetch_left, old]
    assert list_unused_copies(str(tmp_path / "nowhere"), pinned=(), unused_since=WEEK_AGO) == []


def test_a_copy_is_found_by_its_digest_of_either_formula_while_its_files_are_those(tmp_path: Path) -> None:
    folder, digest = fetch_private_copy(fetch, str(tmp_path))
    former = compute_former_digest(folder)
    assert former is not None
    for pinned in (digest, former):
        assert find_private_copy(str(tmp_path), pinned) == (folder, digest)
    for copies, pinned in ((tmp_path, "0" * 64), (tmp_path / "nowhere", digest)):
        assert find_private_copy(str(copies), pinned) is None
    (folder / "MLmodel").write_text("changed")
    for pinned in (digest, former, compute_former_digest(folder) or ""):
        assert find_private_copy(str(tmp_path), pinned) is None


def test_zips_and_folders_that_older_versions_left_are_unused_unless_their_digest_is_pinned(tmp_path: Path) -> None:
    zips = [tmp_path / f"sparkscore-{letter * 64}.zip" for letter in "abc"]
    folders = [tmp_path / name for name in ("tmpabcd_12x", "tmpempty_00", "tmpdrafts00", "tmpdir")]
    for folder in folders:
        folder.mkdir()
    (folders[2] / "thesis").touch()
    for file in (*zips, folders[0] / zips[0].name, tmp_path / "my.zip", tmp_path / ("e" * 64)):
        file.write_bytes(b"PK")
    aged(*tmp_path.iterdir())
    os.utime(zips[2])
    found = list_unused_copies(str(tmp_path), pinned={"b" * 64}, unused_since=WEEK_AGO)
    assert found == sorted([zips[0], *folders[:2]])
    assert copy_bytes(zips[0]) == 2
    for one in found:
        remove_private_copy(one)
    assert list_unused_copies(str(tmp_path), pinned=(), unused_since=WEEK_AGO) == [zips[1]]


def test_a_copy_that_is_asked_for_again_is_in_use(tmp_path: Path) -> None:
    folder, _ = fetch_private_copy(fetch, str(tmp_path))
    aged(folder)
    fetch_private_copy(fetch, str(tmp_path))
    assert list_unused_copies(str(tmp_path), pinned=(), unused_since=WEEK_AGO) == []


def test_a_copy_is_removed_with_its_links_and_not_what_they_point_to(tmp_path: Path) -> None:
    folder, _ = fetch_private_copy(fetch, str(tmp_path / "copies"))
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x" * 1000)
    (folder / "link").symlink_to(kept)
    assert copy_bytes(folder) < 1000
    remove_private_copy(folder)
    remove_private_copy(folder)
    assert not folder.exists()
    assert (kept / "file").exists()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_of_copies_that_others_can_write_to_is_refused_before_anything_is_fetched(
    tmp_path: Path, mode: int
) -> None:
    copies = tmp_path / "models"
    copies.mkdir()
    copies.chmod(mode)
    with pytest.raises(AccessDenied, match=f"open to other users .mode {mode:o}.(?s:.*)chmod 700") as caught:
        fetch_private_copy(fetch, str(copies))
    assert caught.value.exit_code == 2
    assert list(copies.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder away")
def test_another_user_s_folder_of_copies_is_refused(tmp_path: Path) -> None:
    copies = tmp_path / "models"
    copies.mkdir(mode=0o755)
    os.chown(copies, 12345, 12345)
    with pytest.raises(AccessDenied, match=r"belongs to the user 12345(?s:.*)set home to a folder of your own"):
        fetch_private_copy(fetch, str(copies))


def test_a_folder_of_copies_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "models").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AccessDenied, match="is a link"):
        fetch_private_copy(fetch, str(tmp_path / "models"))


def test_a_copy_that_others_can_change_is_replaced(tmp_path: Path) -> None:
    folder, digest = fetch_private_copy(fetch, str(tmp_path / "models"))
    folder.chmod(0o777)
    inode = folder.stat().st_ino
    assert fetch_private_copy(fetch, str(tmp_path / "models")) == (folder, digest)
    assert folder.stat().st_ino != inode
    assert folder.stat().st_mode & 0o777 == 0o700
