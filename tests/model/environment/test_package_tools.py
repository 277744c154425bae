"""pip against a folder of wheels: no network."""

import hashlib
import sys
from pathlib import Path

import pytest

from sparkscore.errors import ConfigError, ModelError
from sparkscore.model.environment.environment_request import EnvironmentRequest, Platform
from sparkscore.model.environment.package_tools import PipTool, find_package_tool, format_lock
from tests.model.environment.wheels import write_wheel

PIP = PipTool(sys.executable)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two versions of a package, and one that it needs."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    write_wheel(folder, "older", "1.0", code="value = 1\n")
    write_wheel(folder, "wanted", "1.0", code="value = 10\n", requires=("older",))
    write_wheel(folder, "wanted", "2.0", code="value = 20\n", requires=("older",))
    return folder


def request_of(*lines: str, platform: str | None = None) -> EnvironmentRequest:
    return EnvironmentRequest(lines, sys.executable, platform=Platform.parse(platform) if platform else None)


def test_a_lock_pins_each_package_by_the_hash_of_its_file_and_installs(index: Path, tmp_path: Path) -> None:
    text = PIP.resolve_pins(request_of("wanted<2"))
    digests = [
        hashlib.sha256((index / f"{name}-1.0-py3-none-any.whl").read_bytes()).hexdigest()
        for name in ("older", "wanted")
    ]
    assert text == "".join(
        f"{name}==1.0 \\\n    --hash=sha256:{digest}\n"
        for name, digest in zip(("older", "wanted"), digests, strict=True)
    )
    lock = tmp_path / "lock.txt"
    lock.write_text(text)
    PIP.install_pins(request_of("wanted<2"), lock, tmp_path / "target")
    assert (tmp_path / "target" / "wanted.py").read_text() == "value = 10\n"
    assert not list((tmp_path / "target").rglob("*.pyc"))


def test_a_package_that_was_changed_since_is_refused(index: Path, tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text(PIP.resolve_pins(request_of("older")))
    write_wheel(index, "older", "1.0", code="value = 'another'\n")
    with pytest.raises(ModelError, match="another than the lock says") as refused:
        PIP.install_pins(request_of("older"), lock, tmp_path / "target")
    assert refused.value.exit_code == 4
    assert not list((tmp_path / "target").glob("older*"))


def test_a_requirement_that_cannot_be_had_is_named(index: Path) -> None:
    with pytest.raises(ModelError, match="a requirement cannot be had") as refused:
        PIP.resolve_pins(request_of("wanted==3.0", platform="manylinux_2_28_aarch64"))
    assert "wanted==3.0" in refused.value.found
    assert "--requirements" in refused.value.do


def test_what_has_no_hash_cannot_be_locked() -> None:
    report = [{"metadata": {"name": "a", "version": "1"}, "download_info": {"vcs_info": {}}}]
    with pytest.raises(ModelError, match="a 1 comes from a place without hashes"):
        format_lock(report)


def test_without_uv_and_pip_there_is_no_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_package_tool(sys.executable).name == "pip"
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o700)
    with pytest.raises(ConfigError, match="neither uv"):
        find_package_tool(str(python))
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\nexit 1\n")
    uv.chmod(0o700)
    assert find_package_tool(str(python)).name == "uv"
