import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from sparkscore.errors import AccessDenied, DigestMismatch, ModelError
from sparkscore.model.distribution import locked_directory
from sparkscore.model.distribution import unpacked_model as room
from sparkscore.model.distribution.locked_directory import acquire_file_lock, ensure_private_folder
from sparkscore.model.distribution.model_cache_limits import evict_unpacked_models
from sparkscore.model.distribution.unpacked_model import mark_model_used, release_model, unpack_model
from sparkscore.model.trust.model_digest import compute_model_digest

FILES = {"MLmodel": "flavors: {}", "data/weights": "123"}


@pytest.fixture(autouse=True)
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder that nobody else has."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(room, "_use_descriptors", {})
    return tmp_path


def models() -> Path:
    return ensure_private_folder("models")


def packed(node: Path, files: Mapping[str, str] = FILES, *, method: int = zipfile.ZIP_STORED) -> tuple[Path, str]:
    """An archive, and the digest of what it holds."""
    source = node / f"source-{len(list(node.iterdir()))}"
    for name, content in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(content)
    archive = source.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w", method) as written:
        for name, content in files.items():
            written.writestr(name, content)
    return archive, compute_model_digest(source)


class TestUnpacking:
    def test_it_happens_once_per_node(self, node: Path) -> None:
        archive, digest = packed(node)
        folder = Path(unpack_model(archive, digest))
        archive.unlink()  # nobody looks at it again
        assert unpack_model(archive, digest) == str(folder)
        assert compute_model_digest(folder) == digest == folder.name

    def test_nobody_else_can_look_into_the_folder(self, node: Path) -> None:
        folder = Path(unpack_model(*packed(node)))
        assert {stat.S_IMODE(one.stat().st_mode) for one in (folder, *list(folder.parents)[:2])} == {0o700}
        assert folder.parents[1] == node / "tmp" / f"sparkscore-{os.geteuid()}"

    def test_processes_that_ask_at_once_unpack_once(self, node: Path) -> None:
        archive, digest = packed(node)
        code = (
            "import sys; from pathlib import Path; "
            "from sparkscore.model.distribution.unpacked_model import unpack_model; "
            "print(Path(unpack_model(*sys.argv[1:])).stat().st_ino)"
        )
        environ = os.environ | {"TMPDIR": tempfile.gettempdir()}
        command = [sys.executable, "-c", code, str(archive), digest]
        started = [subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        assert len({process.communicate(timeout=240)[0] for process in started}) == 1

    def test_what_a_killed_process_left_is_never_used(self, node: Path) -> None:
        archive, digest = packed(node)
        code = (
            "import os, shutil, sys; from sparkscore.model.distribution.unpacked_model import unpack_model; "
            f"shutil.copyfileobj = lambda *_: os.kill(os.getpid(), {signal.SIGKILL}); unpack_model(*sys.argv[1:])"
        )
        environ = os.environ | {"TMPDIR": tempfile.gettempdir()}
        done = subprocess.run([sys.executable, "-c", code, str(archive), digest], env=environ, check=False)
        assert done.returncode == -signal.SIGKILL
        assert [one.name for one in models().iterdir() if one.is_dir()] == [f".{digest}"]
        assert compute_model_digest(unpack_model(archive, digest)) == digest
        assert [one.name for one in models().iterdir() if one.is_dir()] == [digest]

    def test_files_that_were_changed_are_replaced_when_they_are_doubted(self, node: Path) -> None:
        archive, digest = packed(node)
        folder = Path(unpack_model(archive, digest))
        (folder / "data" / "weights").write_text("124")
        (folder / "more").touch()
        assert compute_model_digest(unpack_model(archive, digest, verify=True)) == digest

    def test_files_that_are_right_are_left_alone_when_they_are_doubted(self, node: Path) -> None:
        archive, digest = packed(node)
        before = Path(unpack_model(archive, digest)).stat().st_ino
        assert Path(unpack_model(archive, digest, verify=True)).stat().st_ino == before


class TestRefusals:
    def test_an_archive_with_other_files(self, node: Path) -> None:
        archive, _ = packed(node)
        _, digest = packed(node, {"MLmodel": "flavors: {}"})
        with pytest.raises(DigestMismatch, match="in the archive on this executor have the digest"):
            unpack_model(archive, digest)
        assert not [one for one in models().iterdir() if one.is_dir()]

    def test_an_archive_that_is_none(self, node: Path) -> None:
        (node / "none.zip").write_bytes(b"PK")
        with pytest.raises(DigestMismatch, match="cannot be read"):
            unpack_model(node / "none.zip", "0" * 64)

    def test_an_archive_that_is_not_there(self, node: Path) -> None:
        with pytest.raises(ModelError, match="could not be unpacked"):
            unpack_model(node / "nowhere.zip", "0" * 64)

    @pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "a\\x", "folder/"])
    def test_members_outside_the_folder(self, node: Path, name: str) -> None:
        with zipfile.ZipFile(node / "odd.zip", "w") as written:
            written.writestr(name, "")
        with pytest.raises(DigestMismatch, match="cannot be read"):
            unpack_model(node / "odd.zip", "0" * 64)

    def test_members_that_are_links(self, node: Path) -> None:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        with zipfile.ZipFile(node / "odd.zip", "w") as written:
            written.writestr(entry, "/etc/passwd")
        with pytest.raises(DigestMismatch, match="cannot be read"):
            unpack_model(node / "odd.zip", "0" * 64)

    def test_members_that_could_swell(self, node: Path) -> None:
        with pytest.raises(DigestMismatch, match="cannot be read"):
            unpack_model(*packed(node, method=zipfile.ZIP_DEFLATED))

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_members_that_come_twice(self, node: Path) -> None:
        with zipfile.ZipFile(node / "odd.zip", "w") as written:
            written.writestr("a", "1")
            written.writestr("a", "2")
        with pytest.raises(DigestMismatch, match="cannot be read"):
            unpack_model(node / "odd.zip", "0" * 64)


class TestForeignFolders:
    def test_a_link_is_refused(self, node: Path) -> None:
        (node / "elsewhere").mkdir(mode=0o700)
        (node / "tmp" / f"sparkscore-{os.geteuid()}").symlink_to(node / "elsewhere")
        with pytest.raises(AccessDenied, match="is a link"):
            unpack_model(*packed(node))

    def test_a_folder_of_another_user_is_refused(self, node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        other = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: other)
        (node / "tmp" / f"sparkscore-{os.geteuid()}").mkdir(mode=0o700)
        with pytest.raises(AccessDenied, match="belongs to the user") as caught:
            unpack_model(*packed(node))
        assert "spark.executorEnv.TMPDIR" in caught.value.do

    def test_a_folder_that_is_open_to_others_is_refused(self, node: Path) -> None:
        (node / "tmp" / f"sparkscore-{os.geteuid()}").mkdir()
        (node / "tmp" / f"sparkscore-{os.geteuid()}").chmod(0o770)
        with pytest.raises(AccessDenied, match="mode 770"):
            unpack_model(*packed(node))

    def test_a_temporary_folder_that_is_not_there_is_refused(self, node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(node / "nowhere"))
        with pytest.raises(AccessDenied, match="No such file"):
            unpack_model(*packed(node))


class TestRoom:
    def three(self, node: Path) -> list[str]:
        """Three models of a thousand bytes, the first used longest ago, and none of them now."""
        digests = []
        for place in range(3):
            archive, digest = packed(node, {"MLmodel": f"{place}" * 1000})
            unpack_model(archive, digest)
            release_model(digest)
            os.utime(models() / f"{digest}.used", (time.time(), time.time() - 100 + place))
            digests.append(digest)
        return digests

    def left(self) -> set[str]:
        return {one.name for one in models().iterdir()}

    def test_the_longest_unused_go_first_until_the_rest_fits(self, node: Path) -> None:
        _, second, third = self.three(node)
        evict_unpacked_models(models(), max_bytes=2500)
        assert self.left() == {f"{digest}{ending}" for digest in (second, third) for ending in ("", ".used", ".lock")}

    def test_one_in_use_stays_even_where_there_is_no_room(self, node: Path) -> None:
        first, _, _ = self.three(node)
        mark_model_used(models() / first)
        evict_unpacked_models(models(), max_bytes=0)
        assert self.left() == {first, f"{first}.used", f"{first}.lock"}

    def test_one_that_is_being_made_stays(self, node: Path) -> None:
        first, _, _ = self.three(node)
        held = acquire_file_lock(models() / f"{first}.lock")
        assert held is not None
        evict_unpacked_models(models(), max_bytes=0)
        os.close(held)
        assert first in self.left()

    def test_one_that_nobody_used_for_a_week_goes_although_there_is_room(self, node: Path) -> None:
        first, second, third = self.three(node)
        os.utime(models() / f"{second}.used", (0, time.time() - 8 * 24 * 3600))
        evict_unpacked_models(models(), max_bytes=10**9)
        assert {first, third} < self.left()
        assert second not in self.left()

    def test_what_killed_unpackers_left_goes_too(self, node: Path) -> None:
        (models() / ".abc").mkdir()
        (models() / ".abc" / "part").touch()
        self.three(node)
        assert ".abc" not in self.left()


class TestLocks:
    def test_a_lock_on_a_file_that_was_removed_meanwhile_is_none(
        self, node: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        free = locked_directory._try_file_lock
        asked: list[int] = []

        def removed_at_first(descriptor: int, *, shared: bool) -> bool:
            if not asked:
                (node / "lock").unlink()
            asked.append(descriptor)
            return free(descriptor, shared=shared)

        monkeypatch.setattr(locked_directory, "_try_file_lock", removed_at_first)
        held = acquire_file_lock(node / "lock")
        assert held is not None
        assert len(asked) == 2
        assert os.path.samestat(os.fstat(held), (node / "lock").stat())
        os.close(held)

    def test_somebody_elses_lock_is_waited_for_until_a_moment(self, node: Path) -> None:
        held = acquire_file_lock(node / "lock")
        assert held is not None
        assert acquire_file_lock(node / "lock", deadline=time.monotonic() + 0.1) is None
        os.close(held)
