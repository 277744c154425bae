"""The Java that the set-up fetches is the one whose digest is written down."""

import hashlib
import platform
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from ci.fetch_java import DIGESTS, UnverifiedArchive, fetch_java, unpack_verified

SCRIPT = Path(__file__).parents[1] / "ci" / "fetch_java.py"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A JDK, as its maker packs it."""
    java = tmp_path / "jdk-17" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\n")
    packed = tmp_path / "jdk.tar.gz"
    with tarfile.open(packed, "w:gz") as content:
        content.add(java.parents[1], "jdk-17")
    return packed


def test_an_archive_with_the_digest_is_unpacked(archive: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    unpack_verified(archive.as_uri(), digest, tmp_path / "jdk")
    assert (tmp_path / "jdk" / "jdk-17" / "bin" / "java").read_text() == "#!/bin/sh\n"


def test_an_archive_with_another_digest_is_not_unpacked(archive: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    archive.write_bytes(archive.read_bytes() + b"\0")
    with pytest.raises(UnverifiedArchive, match=f"not {digest}: it was damaged or replaced"):
        unpack_verified(archive.as_uri(), digest, tmp_path / "jdk")
    assert not (tmp_path / "jdk").exists()


def test_a_machine_without_a_known_digest_gets_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(UnverifiedArchive, match=r"no archive with a known digest for .* on riscv64"):
        fetch_java(tmp_path / "jdk")
    assert all(len(digest) == 64 for digest in DIGESTS.values())


def test_a_set_up_that_reaches_nobody_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "jdk.part"
    target.mkdir()
    unreachable = {"https_proxy": "http://127.0.0.1:9", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(target)], env=unreachable, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("set-up: fetching Java failed: ")
    assert not target.exists()
