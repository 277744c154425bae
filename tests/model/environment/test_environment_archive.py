import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from sparkscore.errors import ConfigError, ModelError
from sparkscore.model.environment import environment_folder
from sparkscore.model.environment.environment_archive import refuse_changed_archives, write_archive
from sparkscore.model.environment.environment_folder import (
    add_own_package,
    create_environment_folder,
    describe_interpreter,
    try_environment,
)
from sparkscore.model.environment.environment_request import EnvironmentRequest


def filled(folder: Path, *, node_python: str | None = None) -> Path:
    """An environment with one module."""
    interpreter = describe_interpreter(sys.executable)
    packages = create_environment_folder(folder, interpreter, EnvironmentRequest((), sys.executable, node_python))
    (packages / "a_module.py").write_text("value = 7\n")
    (packages / "__pycache__").mkdir()
    (packages / "__pycache__" / "a_module.pyc").write_bytes(os.urandom(8))
    return folder


def test_equal_environments_give_equal_archives_with_their_digest_beside(tmp_path: Path) -> None:
    first = write_archive(filled(tmp_path / "a"), tmp_path / "first.tar.gz")
    second = write_archive(filled(tmp_path / "b"), tmp_path / "second.tar.gz")
    assert first == second
    checked = subprocess.run(["sha256sum", "-c", "first.tar.gz.sha256"], cwd=tmp_path, capture_output=True, check=False)
    assert checked.returncode == 0
    assert sorted(path.name for path in tmp_path.glob("*.tar.gz*")) == [
        "first.tar.gz", "first.tar.gz.sha256", "second.tar.gz", "second.tar.gz.sha256",
    ]  # fmt: skip


def test_an_unpacked_archive_is_an_environment_wherever_it_lies(tmp_path: Path) -> None:
    write_archive(filled(tmp_path / "made"), tmp_path / "env.tar.gz")
    with tarfile.open(tmp_path / "env.tar.gz") as archive:
        archive.extractall(tmp_path / "there" / "environment")  # noqa: S202  our own
    code = "import sys, a_module; print(a_module.value, sys.prefix)"
    said = subprocess.check_output(
        ["./environment/bin/python", "-I", "-B", "-c", code], cwd=tmp_path / "there", text=True
    )
    assert said.split() == ["7", str(tmp_path / "there" / "environment")]


def test_nodes_may_have_their_python_elsewhere(tmp_path: Path) -> None:
    folder = filled(tmp_path / "made", node_python="/opt/python/bin/python3.11")
    assert (folder / "bin" / "python").readlink() == Path("/opt/python/bin/python3.11")
    assert "home = /opt/python/bin\n" in (folder / "pyvenv.cfg").read_text()


def test_the_own_package_goes_with_it_without_bytecode(tmp_path: Path) -> None:
    add_own_package(tmp_path)
    assert (tmp_path / "sparkscore" / "scoring" / "kernel.py").is_file()
    assert not list(tmp_path.rglob("*.pyc"))


def test_an_environment_that_does_not_import_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No module named 'numpy'"):
        try_environment(filled(tmp_path / "made"))


def test_a_python_of_the_system_is_not_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = environment_folder.Interpreter("3.11.2", "/usr/bin/python3.11", "/usr")
    request = EnvironmentRequest((), "/usr/bin/python3.11", carries_python=True)
    with pytest.raises(ConfigError, match="cannot be moved"):
        create_environment_folder(tmp_path / "made", interpreter, request)


def test_a_folder_that_cannot_be_written_is_an_error_of_the_config(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_archive(filled(tmp_path / "made"), tmp_path / "file" / "env.tar.gz")


def test_what_is_no_python_is_named() -> None:
    with pytest.raises(ConfigError, match="/bin/true is no Python"):
        describe_interpreter("/bin/true")


def test_an_archive_that_was_changed_after_it_was_packed_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "my env.tar.gz"
    write_archive(filled(tmp_path / "made"), archive)
    (tmp_path / "other.zip").write_bytes(b"of somebody else")
    listed = f"{tmp_path}/other.zip,{archive.as_uri()}#environment,hdfs://host{archive}"
    refuse_changed_archives(listed)
    refuse_changed_archives("")
    with archive.open("ab") as file:
        file.write(b"more")
    with pytest.raises(ConfigError, match="was changed after it was packed"):
        refuse_changed_archives(listed)
