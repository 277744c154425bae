"""The verb, against a folder of small wheels that have the names of what workers need: no network."""

import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from sparkscore.cli import main
from sparkscore.pipelines.pack_env import parse_lock
from tests.model.environment.wheels import write_wheel

NODES = ("--platform", "manylinux_2_28_x86_64")
"""Nodes that differ from this machine: the archive is not tried."""
Call = Callable[..., tuple[int, Mapping[str, Any]]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, beside one of wheels that takes the place of an index."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name, version in (("numpy", "2.0"), ("packaging", "24.0"), ("pandas", "2.2.3"), ("pyarrow", "20.0")):
        write_wheel(wheels, name, version)
    write_wheel(wheels, "wanted", "1.0", requires=("numpy",))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # without uv, which has other settings
    work = tmp_path / "work"
    work.mkdir()
    (work / "wanted.txt").write_text("wanted==1.0\n")
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    def run(*words: str) -> tuple[int, Mapping[str, Any]]:
        capfd.readouterr()
        code = main.run_verb("pack_env", words)
        return code, json.loads(capfd.readouterr().out)

    return run


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_archive_its_digest_and_its_lock_are_made_and_made_again_alike(folder: Path, call: Call) -> None:
    wanted = ("--requirements", "wanted.txt", *NODES, "--node-python", "/opt/bin/python3.11")
    code, first = call(*wanted, "--archive", "env.tar.gz")
    assert (code, first["status"], first["lock_is_new"]) == (0, "packed", True), first
    assert first["packages"] == {
        "numpy": "2.0",
        "packaging": "24.0",
        "pandas": "2.2.3",
        "pyarrow": "20.0",
        "wanted": "1.0",
    }
    assert names_in(folder) == ["env.lock", "env.tar.gz", "env.tar.gz.sha256", "wanted.txt"]
    assert (folder / "env.tar.gz.sha256").read_text() == f"{first['sha256']}  env.tar.gz\n"
    with tarfile.open(folder / "env.tar.gz") as archive:
        names = archive.getnames()
        assert archive.getmember("bin/python").linkname == "/opt/bin/python3.11"
    packages = next(name for name in names if name.endswith("site-packages"))
    assert {f"{packages}/wanted.py", f"{packages}/sparkscore/scoring/kernel.py"} <= set(names)
    assert f"{packages}/bin" not in names
    code, again = call(*wanted, "--archive", "again.tar.gz", "--lock", "env.lock")
    assert (code, again["sha256"], again["lock_is_new"]) == (0, first["sha256"], False)


def test_a_requirement_that_cannot_be_had_leaves_nothing(folder: Path, call: Call) -> None:
    (folder / "wanted.txt").write_text("wanted==9.9\n")
    code, result = call("--requirements", "wanted.txt")
    assert (code, result["error"]["class"]) == (4, "ModelError")
    assert "wanted==9.9" in result["error"]["message"]
    assert names_in(folder) == ["wanted.txt"]


def test_a_dry_run_shows_the_packages_and_writes_nothing(folder: Path, call: Call) -> None:
    code, result = call("--requirements", "wanted.txt", "--dry-run")
    assert (code, result["status"], result["packages"]["wanted"], result["archive"]) == (0, "dry_run", "1.0", None)
    assert names_in(folder) == ["wanted.txt"]


def test_a_lock_of_other_requirements_is_refused(folder: Path, call: Call) -> None:
    (folder / "environment.lock").write_text("wanted==0.5 \\\n    --hash=sha256:00\n")
    code, result = call("--requirements", "wanted.txt")
    assert (code, result["error"]["class"]) == (2, "ConfigError")
    assert "wanted==1.0 is needed, and 0.5 locked" in result["error"]["message"]
    assert names_in(folder) == ["environment.lock", "wanted.txt"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--archive", "env.zip"), "--archive env.zip"),
        (("--with-python", "--node-python", "/x"), "--with-python together with"),
        (("--build", *NODES), "--build together with"),
        (("--platform", "windows"), "--platform windows"),
    ],
)
def test_what_contradicts_itself_is_refused(folder: Path, call: Call, words: tuple[str, ...], found: str) -> None:
    code, result = call("--requirements", "wanted.txt", *words)
    assert code == 2
    assert found in result["error"]["message"]


def test_a_lock_is_read_whatever_wrote_it() -> None:
    hashes = "    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    of_uv = f"# head\nScikit-Learn==1.8.0 \\\n{hashes}numpy==2.0 ; python_version >= '3'\n"
    assert parse_lock(of_uv) == {"scikit-learn": "1.8.0", "numpy": "2.0"}


def test_the_console_knows_the_verb_by_its_usual_spelling(capfd: pytest.CaptureFixture[str]) -> None:
    main.run_console(["pack-env", "--help"])
    assert "usage: sparkscore pack_env" in "".join(capfd.readouterr())
