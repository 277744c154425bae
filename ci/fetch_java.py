"""Fetches a Java into a folder for ci/setup.sh: one release, checked against the digest that is written down here.

For another release take its digests from https://github.com/adoptium/temurin17-binaries/releases (the .sha256.txt
beside each archive), and compare them with those of a second place.
"""

import hashlib
import platform
import shutil
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path

RELEASE = "17.0.20.1+1"
DIGESTS = {
    ("Linux", "x64"): "3808d1d15e3ec6bd5b84057fb5d84c33d8a1536a258146bcea2e603fc726e08e",
    ("Linux", "aarch64"): "457b57af8f9c93ec39080bb8c764f559dc8c89a6da1a39d718a400b7890d3e41",
    ("Darwin", "x64"): "c01975da12ed4235250ff891fe8bba73a9e73037d444b269c9d0922b5dbc8e0a",
    ("Darwin", "aarch64"): "196d13ba5f10414bef7f6a05a9b3f00edacb18ebacef2b99485db9e2ee18f0e8",
}
"""sha256 of Eclipse Temurin's archives."""
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "aarch64", "arm64": "aarch64"}
_TIMEOUT_S = 30


class UnverifiedArchive(Exception):
    """There is no archive for this machine, or it is not the one whose digest is known."""


def fetch_java(target: Path) -> None:
    """Put the release into a new folder.

    Raises:  UnverifiedArchive; OSError.
    """
    system, machine = platform.system(), _MACHINES.get(platform.machine().lower(), platform.machine())
    digest = DIGESTS.get((system, machine))
    if digest is None:
        raise UnverifiedArchive(f"there is no archive with a known digest for {system} on {machine}")
    unpack_verified(_release_url(system, machine), digest, target)


def unpack_verified(url: str, digest: str, target: Path) -> None:
    """Unpack what lies at a URL into a new folder, after it has shown to be what the digest says.

    Raises:  UnverifiedArchive; OSError.
    """
    with tempfile.TemporaryFile() as archive:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - a URL from this file
            shutil.copyfileobj(answer, archive)
        archive.seek(0)
        found = hashlib.file_digest(archive, "sha256").hexdigest()
        if found != digest:
            raise UnverifiedArchive(f"{url} has the sha256 {found}, not {digest}: it was damaged or replaced")
        archive.seek(0)
        with tarfile.open(fileobj=archive, mode="r:gz") as content:
            content.extractall(target)  # noqa: S202 - its content is known


def _release_url(system: str, machine: str) -> str:
    name = f"OpenJDK17U-jdk_{machine}_{'mac' if system == 'Darwin' else 'linux'}_hotspot_{RELEASE.replace('+', '_')}"
    folder = f"jdk-{RELEASE.replace('+', '%2B')}"
    return f"https://github.com/adoptium/temurin17-binaries/releases/download/{folder}/{name}.tar.gz"


if __name__ == "__main__":
    try:
        fetch_java(Path(sys.argv[1]))
    except (OSError, UnverifiedArchive) as error:
        shutil.rmtree(sys.argv[1], ignore_errors=True)
        sys.exit(f"set-up: fetching Java failed: {type(error).__name__}: {error}")
