"""The registry and the model's files between two attempts, and in the middle of one."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

import pytest
from mlflow import MlflowClient

from sparkscore.errors import DigestMismatch, PinsConflict, PredictError, RegistryUnreachable
from tests.faults.checker import Expected
from tests.faults.points import eventually
from tests.faults.scene import Scene
from tests.world import AS_OF, MODEL, Registry

WATCHED: dict[str, Any] = {"profile": {"rows": "all"}, "monitor": {"report": True, "mlflow": True}}
MONITORING = "sparkscore.pipelines.monitoring.run_monitoring:monitor_run"
STAGING = "sparkscore.pipelines.scoring.staging:score_missing_rows"


@pytest.fixture
def pickled(scene: Scene) -> Iterator[Path]:
    """The file of version 1 that holds the model, as it lies in the registry; put right at the end."""
    client = MlflowClient(scene.world.registry.uri, registry_uri=scene.world.registry.uri)
    folder = Path(unquote(urlsplit(client.get_model_version_download_uri(MODEL, "1")).path))
    (file,) = folder.glob("model.pkl")
    content = file.read_bytes()
    yield file
    file.write_bytes(content)


@pytest.fixture
def own(scene: Scene, tmp_path: Path) -> Registry:
    """A registry of the test's own; the files are those of the other."""
    shutil.copy(urlsplit(scene.world.registry.uri).path[1:], tmp_path / "mlflow.db")
    return Registry(f"sqlite:///{tmp_path}/mlflow.db", scene.world.registry.models)


@dataclass(frozen=True)
class Server:
    """A real MLflow server of a registry, in a session of its own."""

    uri: str
    pid: int

    def send(self, number: int) -> None:
        """A signal to all its processes; stopped ones take connections and never answer."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)


@contextmanager
def served(own: Registry, log: Path) -> Iterator[Server]:
    """The block in which a server is up."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", own.uri, "--port", str(port)]
    with log.open("w") as out:
        process = subprocess.Popen([*command, "--workers", "1"], stdout=out, stderr=out, start_new_session=True)
    server = Server(f"http://127.0.0.1:{port}", process.pid)
    try:
        assert eventually(lambda: is_up(server) or process.poll() is not None)
        assert process.poll() is None, log.read_text()[-3000:]
        yield server
    finally:
        server.send(signal.SIGKILL)
        process.wait()


def is_up(server: Server) -> bool:
    with suppress(OSError):
        return bool(urlopen(f"{server.uri}/health", timeout=5).status == http.client.OK)  # noqa: S310  our own
    return False


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


class TestFiles:
    @pytest.mark.parametrize("damage", [pytest.param(flipped, marks=pytest.mark.smoke), truncated])
    def test_changed_between_two_attempts_are_not_loaded(
        self, scene: Scene, pickled: Path, damage: Callable[[bytes], bytes]
    ) -> None:
        scene.interrupted(STAGING)
        whole, paid = pickled.read_bytes(), scene.traps.paid()
        pickled.write_bytes(damage(whole))
        for _ in range(2):  # and the failure does not make the changed files the pinned ones
            with pytest.raises(DigestMismatch, match="--restart") as caught:
                scene.run()
            assert caught.value.exit_code == 4
        assert (scene.world.version(), scene.traps.paid()) == (-1, paid)
        pickled.write_bytes(whole)
        assert scene.run().status == "published"
        scene.check()

    def test_damaged_before_anybody_pinned_them_cannot_be_loaded(self, scene: Scene, pickled: Path) -> None:
        whole = pickled.read_bytes()
        pickled.write_bytes(truncated(whole))
        with pytest.raises(PredictError, match="could not be loaded") as caught:
            scene.run()
        assert caught.value.exit_code == 4
        assert scene.world.version() == -1
        pickled.write_bytes(whole)
        assert scene.run().status == "published"
        scene.check()


class TestRegistry:
    def test_gone_mid_run_it_is_not_missed_and_the_next_run_says_so(self, scene: Scene, own: Registry) -> None:
        database = Path(urlsplit(own.uri).path[1:])
        with scene.during(STAGING, lambda: database.write_bytes(b"no database")):
            report = scene.run(model={"tracking_uri": own.uri})
        assert report.status == "published"
        with pytest.raises(RegistryUnreachable) as caught:
            scene.run(as_of="2014-01-01", model={"tracking_uri": own.uri})
        assert caught.value.exit_code == 75
        scene.check()

    def test_silent_or_gone_between_the_publication_and_its_monitoring_it_holds_the_run_for_seconds(
        self, scene: Scene, own: Registry, tmp_path: Path
    ) -> None:
        with served(own, tmp_path / "server.log") as server:
            for as_of, fate in (("2013-12-30", signal.SIGSTOP), (AS_OF, signal.SIGKILL)):
                watched = {"model": {"tracking_uri": server.uri}, "drift": {"baseline": "model"}} | WATCHED
                with scene.during(MONITORING, partial(server.send, fate)):
                    report = scene.run(as_of=as_of, **watched)
                assert (report.status, report.exit_code) == ("published", 0)
                assert [text for text in report.warnings if text.startswith("no MLflow run")], report.warnings
                assert report.seconds["mlflow"] < 30  # MLflow's own retries take a quarter of an hour
                assert scene.world.events()[-1] == "monitored"
                server.send(signal.SIGCONT)
        scene.check(Expected(scene.rows), Expected(scene.rows, "2013-12-30"))

    def deleted(self, own: Registry) -> None:
        MlflowClient(own.uri, registry_uri=own.uri).delete_model_version(MODEL, "1")
        own.alias(2)

    def down(self, own: Registry) -> None:
        Path(urlsplit(own.uri).path[1:]).write_bytes(b"no database")

    @pytest.mark.parametrize("fate", [pytest.param(deleted, marks=pytest.mark.smoke), down])
    def test_a_version_that_is_gone_between_two_attempts_is_served_from_the_private_copy(
        self, scene: Scene, own: Registry, fate: Callable[["TestRegistry", Registry], None]
    ) -> None:
        groups: dict[str, Any] = {"model": {"tracking_uri": own.uri}}
        scene.interrupted(STAGING, **groups)
        fate(self, own)
        report = scene.run(**groups)
        assert (report.status, report.attempt) == ("published", 2)
        assert any("private copy" in warning for warning in report.warnings)
        scene.check()

    @pytest.mark.parametrize("copies", ["none", "changed"])
    def test_where_the_copy_is_gone_too_or_changed_the_version_is_named_and_a_restart_takes_another(
        self, scene: Scene, own: Registry, copies: str
    ) -> None:
        groups: dict[str, Any] = {"model": {"tracking_uri": own.uri}}
        scene.interrupted(STAGING, **groups)
        self.deleted(own)
        (copy,) = [one for one in (scene.world.home / "models").iterdir() if one.is_dir()]
        (shutil.rmtree if copies == "none" else lambda folder: (folder / "more").touch())(copy)
        with pytest.raises(PinsConflict, match="version 1 of the model late") as caught:
            scene.run(**groups)
        assert "--restart" in str(caught.value)
        assert scene.world.version() == -1
        assert scene.run(restart=True, **groups).status == "published"
        scene.check(Expected(scene.rows, version=2))
