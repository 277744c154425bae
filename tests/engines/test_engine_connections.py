"""Ray and Dask as a run finds or starts them, without Spark: what is refused at once, and what is left afterwards."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from sparkscore.engines import ray_connection
from sparkscore.engines.engine_opening import open_engine, try_engine
from sparkscore.engines.ray_connection import _is_same_place
from sparkscore.engines.ray_engine import _count_slots, _stop_dataset
from sparkscore.errors import ConfigError, TemporaryError
from sparkscore.records import EngineOptions
from tests.engines.tasks import ScriptedTask
from tests.model.host.node import eventually, runs

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's and Dask's own, of what they do themselves

needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="ci/integration.sh engines has it")


@contextmanager
def web_server() -> Iterator[str]:
    """Host and port of somebody else, as the dashboards of both are."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        server.block_on_close = False  # clients of another protocol say nothing that ends
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class TestSlotsOfRay:
    @pytest.mark.parametrize(
        ("options", "nodes", "slots"),
        [
            (EngineOptions(), [{"CPU": 4.0}, {"CPU": 2.0}], 6),
            (EngineOptions(workers=3), [{"CPU": 4.0}], 3),
            (EngineOptions(worker_cpus=0.1), [{"CPU": 1.0}], 10),  # 1 // 0.1 is 9
            (EngineOptions(worker_cpus=0.5, worker_gpus=0.2), [{"CPU": 8.0, "GPU": 0.6}], 3),
            (EngineOptions(worker_cpus=2), [{"CPU": 3.0}, {"CPU": 3.0}], 2),  # and not 6 / 2
        ],
    )
    def test_each_actor_has_a_place_on_one_node(
        self, options: EngineOptions, nodes: list[dict[str, float]], slots: int
    ) -> None:
        assert _count_slots(options, nodes) == slots

    def test_actors_for_which_no_node_is_large_enough_are_refused_and_not_waited_for(self) -> None:
        with pytest.raises(ConfigError, match="3 CPUs and 0 GPUs; 3 CPUs and 0 GPUs"):
            _count_slots(EngineOptions(worker_cpus=4), [{"CPU": 3.0}, {"CPU": 3.0}])


class TestAddressesOfRay:
    @pytest.fixture(autouse=True)
    def without_ray(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As if this process had none."""
        ray: Any = pytest.importorskip("ray", reason="ci/integration.sh engines has it")
        monkeypatch.setattr(ray, "is_initialized", lambda: False)

    def test_where_nobody_answers_it_ends_at_once_with_what_a_retry_may_help(self) -> None:
        with pytest.raises(TemporaryError, match=r"no cluster of Ray answers at 127\.0\.0\.1:1") as raised:
            try_engine("ray", EngineOptions(address="127.0.0.1:1"))
        assert raised.value.exit_code == 75

    def test_where_somebody_else_answers_too(self) -> None:
        with web_server() as address, pytest.raises(TemporaryError, match="no cluster of Ray") as raised:
            try_engine("ray", EngineOptions(address=address))
        assert "not of its dashboard" in raised.value.expected

    def test_a_server_that_says_nothing_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ray_connection, "_CONNECT_TIMEOUT_S", 0.2)
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            with pytest.raises(TemporaryError, match="no cluster of Ray"):
                try_engine("ray", EngineOptions(address=f"127.0.0.1:{silent.getsockname()[1]}"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1:6379", "10.0.0.1:6379", True),
        ("10.0.0.1:6379", "10.0.0.2:6379", False),
        ("10.0.0.1:6379", "10.0.0.1:6380", False),
        ("localhost:6379", "10.0.0.1:6379", True),
        ("[::1]:6379", "[::1]:6379", True),
    ],
)
def test_an_address_is_that_of_the_process_s_own_ray_or_of_another(one: str, other: str, same: bool) -> None:
    assert _is_same_place(one, other) is same


def test_a_process_that_has_ray_is_not_told_to_use_another_one(running_ray: None) -> None:
    with pytest.raises(ConfigError, match="this process has joined Ray at"):
        try_engine("ray", EngineOptions(address="192.0.2.7:6379"))


def test_where_all_cpus_of_ray_are_busy_the_driver_is_not_held(running_ray: None, tmp_path: Path) -> None:
    import ray

    def hold(folder: str) -> None:
        until = time.monotonic() + 120
        while not Path(folder, "go").exists() and time.monotonic() < until:
            time.sleep(0.05)

    holding = [ray.remote(hold).remote(str(tmp_path)) for _ in range(2)]
    batches = [pa.record_batch([pa.array([b"a"], pa.binary())], ["part"])]
    with open_engine("ray", EngineOptions(), ()) as engine:
        running = engine.run_tasks(ScriptedTask(str(tmp_path)), batches)
        assert next(running) == []  # a deadline is looked at now
        assert ray.wait(holding, num_returns=2, timeout=0)[0] == []
        (tmp_path / "go").touch()
        assert [report.split()[0] for reports in running for report in reports] == [b"a"]


class OlderExecutor:
    """Ends as Ray's did before it took `force`."""

    asked = 0

    def shutdown(self, exception: Exception | None = None) -> None:
        self.asked += 1


class FailingExecutor:
    """Is ended in the middle of something."""

    asked = 0

    def shutdown(self, force: bool, exception: Exception | None = None) -> None:
        self.asked += 1
        raise RuntimeError("it is over already")


@pytest.mark.parametrize("kind", [OlderExecutor, FailingExecutor])
def test_ending_the_actors_is_in_the_way_of_no_error(kind: type[Any]) -> None:
    executor = kind()
    _stop_dataset(SimpleNamespace(_current_executor=executor))
    assert executor.asked == 1


_RAY_OF_A_RUN = """
import os, signal, sys, time
from sparkscore.cli.termination import end_jvm_on_sigterm
from sparkscore.engines.engine_opening import open_engine
from sparkscore.records import EngineOptions

end_jvm_on_sigterm()
before = signal.getsignal(signal.SIGTERM)
with open_engine("ray", EngineOptions(workers=2, worker_cpus=0.5, cores=1), ()) as engine:
    import ray
    (node,) = ray.nodes()
    print(engine.slots, node["NodeManagerAddress"], signal.getsignal(signal.SIGTERM) is before, flush=True)
    if len(sys.argv) > 1:
        print(*open(f"/proc/self/task/{os.getpid()}/children").read().split(), flush=True)
        os.kill(os.getpid(), int(sys.argv[1]))
        time.sleep(120)
print(signal.getsignal(signal.SIGTERM) is before, os.environ.get("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"))
"""


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_ray_of_a_run_ends_with_a_driver_that_is_told_to_end_or_killed(sent: signal.Signals, code: int) -> None:
    pytest.importorskip("ray", reason="ci/integration.sh engines has it")
    command = [sys.executable, "-c", _RAY_OF_A_RUN, str(int(sent))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    children = [int(one) for one in done.stdout.splitlines()[1].split()]
    assert (done.returncode, len(children) >= 2) == (code, True)
    assert eventually(lambda: not any(runs(one) for one in children))


def test_ray_of_a_run_listens_on_loopback_and_leaves_sigterm_alone() -> None:
    pytest.importorskip("ray", reason="ci/integration.sh engines has it")
    done = subprocess.run([sys.executable, "-c", _RAY_OF_A_RUN], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["2 127.0.0.1 True", "True None"]


@needs_dask
class TestAddressesOfDask:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sparkscore.engines.dask_connection._CONNECT_TIMEOUT_S", 1)

    def test_somebody_else_who_answers_is_no_scheduler(self) -> None:
        with web_server() as address, pytest.raises(TemporaryError, match="no scheduler of Dask") as raised:
            try_engine("dask", EngineOptions(address=f"tcp://{address}"))
        assert "not of its dashboard" in raised.value.expected

    @pytest.mark.parametrize("address", ["http://127.0.0.1:8786", "tls://127.0.0.1:8786"])
    def test_what_is_no_address_is_no_matter_of_time(self, address: str) -> None:
        with pytest.raises(ConfigError, match="is no address for Dask") as raised:
            try_engine("dask", EngineOptions(address=address))
        assert raised.value.exit_code == 2


@contextmanager
def dask_cluster(folder: Path, *, path: str | None = None) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A scheduler and a worker as people start them; its address and its process. `path`: their PYTHONPATH."""
    environ = os.environ | ({} if path is None else {"PYTHONPATH": path})
    environ |= {"DASK_TEMPORARY_DIRECTORY": str(folder / "dask")}
    file = folder / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    with (folder / "log").open("wb") as log:
        told: dict[str, Any] = {"env": environ, "stdout": log, "stderr": log}
        scheduler = subprocess.Popen([*command, "--no-dashboard", "--scheduler-file", str(file)], **told)
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file)]
        worker += ["--nworkers", "1", "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        with subprocess.Popen(worker, **told) as process, scheduler:
            try:
                yield wait_for_worker(file), scheduler
            finally:
                for one in (process, scheduler):
                    one.kill()


def wait_for_worker(file: Path) -> str:
    from distributed import Client

    until = time.monotonic() + 60
    while not file.exists() or not file.read_text():
        assert time.monotonic() < until
        time.sleep(0.1)
    address: str = json.loads(file.read_text())["address"]
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
    return address


@needs_dask
class TestClusterOfDask:
    def test_a_cluster_at_an_address_is_tried_with_a_task_that_does_nothing(self, tmp_path: Path) -> None:
        with dask_cluster(tmp_path) as (address, _):
            assert try_engine("dask", EngineOptions(address=address)) == 1

    def test_processes_without_the_suite_are_refused_before_anything_is_sent(self, tmp_path: Path) -> None:
        other = tmp_path / "other"
        (other / "sparkscore").mkdir(parents=True)
        (other / "sparkscore" / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'sparkscore'\")")
        path = os.pathsep.join([str(other), os.environ["PYTHONPATH"]])
        with (
            dask_cluster(tmp_path, path=path) as (address, _),
            pytest.raises(ConfigError, match="No module named 'sparkscore'") as raised,
        ):
            try_engine("dask", EngineOptions(address=address))
        assert "the same environment as the driver" in raised.value.do

    def test_a_scheduler_that_is_lost_in_the_middle_ends_the_run_with_what_a_retry_may_help(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import dask

        monkeypatch.setattr("sparkscore.engines.dask_connection._CONNECT_TIMEOUT_S", 3)
        task = ScriptedTask(str(tmp_path))

        def run_until_killed(address: str, scheduler: "subprocess.Popen[bytes]") -> None:
            batches = [pa.record_batch([pa.array([b"hold"], pa.binary())], ["part"])]
            with open_engine("dask", EngineOptions(address=address), ()) as engine:
                for _ in engine.run_tasks(task, batches):
                    if task.tries("hold"):
                        scheduler.kill()

        with (
            dask_cluster(tmp_path) as (address, scheduler),
            dask.config.set({"distributed.comm.timeouts.connect": "2s"}),
            pytest.raises(TemporaryError, match="the scheduler of Dask does not answer any more") as raised,
        ):
            run_until_killed(address, scheduler)
        assert raised.value.exit_code == 75


_DASK_OF_A_RUN = """
import os, signal, sys, tempfile
from pathlib import Path
from sparkscore.engines.engine_opening import open_engine
from sparkscore.records import EngineOptions

if __name__ == "__main__":
    with open_engine("dask", EngineOptions(workers=1, cores=1), ()) as engine:
        (worker,) = engine.client.scheduler_info()["workers"].values()
        print(worker["memory_limit"] or 0, engine.client.scheduler.address.split(":")[0], flush=True)
        if "kill" in sys.argv:
            print(*engine.client.run(os.getpid).values(), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    print(sorted(os.listdir(tempfile.gettempdir())))
"""


@needs_dask
class TestDaskOfARun:
    @pytest.fixture
    def script(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        (tmp_path / "temporary").mkdir()
        monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
        file = tmp_path / "run.py"
        file.write_text(_DASK_OF_A_RUN)
        return file

    def test_its_workers_have_the_machine_s_memory_and_certificates_and_leave_nothing(self, script: Path) -> None:
        done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == ["0 tls", "[]"]

    def test_they_end_with_a_driver_that_is_killed(self, script: Path) -> None:
        done = subprocess.run([sys.executable, str(script), "kill"], capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL
        worker = int(done.stdout.splitlines()[1])
        assert eventually(lambda: not runs(worker))

    def test_a_script_that_cannot_be_imported_is_told_how_it_could_be(self, script: Path) -> None:
        script.write_text(script.read_text().replace('if __name__ == "__main__":', "if True:"))
        done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 1
        assert '`if __name__ == "__main__":`' in done.stderr
