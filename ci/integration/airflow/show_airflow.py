"""Runs the DAGs of conf/orchestration/airflow with Airflow itself, and prints a line per thing that was shown."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import requests
from deltalake import DeltaTable

ROOT = Path.cwd()
WORK = Path(os.environ["INTEGRATION_WORK"])
HOME = WORK / "flights"
HOLD = HOME / "hold"
TABLE = HOME / "home" / "tables" / "flight_delay_predictions"
SUITE_PYTHON = os.environ["SPARKSCORE_PYTHON"]
AIRFLOW_BIN = Path(sys.executable).parent
ROWS = 2000
LIMIT = float(os.environ.get("INTEGRATION_PATIENCE", "900"))
"""Seconds that one thing may take, on a busy machine."""
UNFILLED = """
import runpy
from airflow.sdk import DAG, literal
example = runpy.run_path(EXAMPLE)
with DAG("unfilled", schedule=None):
    example["submit"]("score", "--as-of", literal("{{ ds }}"))
"""


def find_port() -> int:
    """A free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """What the condition gives as soon as that is true."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        with suppress(requests.ConnectionError, requests.Timeout):
            if found := condition():
                return found
        time.sleep(0.5)
    raise AssertionError(f"waited {LIMIT:g} s for: {what}")


class Services:
    """Processes that are stopped by their ids, whatever happens."""

    def __init__(self) -> None:
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
        """One more."""
        with (WORK / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        return self.running[name]

    def stop(self, name: str) -> None:
        """Ends one, with all that it has started."""
        process = self.running.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def stop_all(self) -> None:
        """Ends what is left."""
        for name in reversed(list(self.running)):
            self.stop(name)


class Airflow:
    """Airflow's processes and its REST API."""

    def __init__(self, services: Services) -> None:
        self.services, self.port, self.session = services, find_port(), requests.Session()
        self.registry_port = find_port()
        home = WORK / "airflow"
        dags = home / "dags"
        dags.mkdir(parents=True)
        example = dags / "flight_delay.py"
        shutil.copy(ROOT / "conf/orchestration/airflow/flight_delay.py", example)
        (dags / "unfilled.py").write_text(UNFILLED.replace("EXAMPLE", repr(str(example))), encoding="utf-8")
        sections = {
            "CORE": {
                "DAGS_FOLDER": dags, "LOAD_EXAMPLES": False, "EXECUTOR": "LocalExecutor", "PARALLELISM": 3,
                "EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
                "SIMPLE_AUTH_MANAGER_ALL_ADMINS": True, "DEFAULT_TASK_RETRY_DELAY": 5,
            },
            "DATABASE": {"SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db"},
            "API": {"HOST": "127.0.0.1", "PORT": self.port, "WORKERS": 1, "SECRET_KEY": secrets.token_hex(16)},
            "API_AUTH": {"JWT_SECRET": secrets.token_hex(32)},
            "SCHEDULER": {"TASK_INSTANCE_HEARTBEAT_TIMEOUT": 600, "TASK_INSTANCE_HEARTBEAT_SEC": 2},
            "WORKERS": {"MIN_HEARTBEAT_INTERVAL": 1},
            "DAG_PROCESSOR": {"REFRESH_INTERVAL": 30, "PARSING_PROCESSES": 1},
            "LOGGING": {"WORKER_LOG_SERVER_PORT": find_port(), "TRIGGER_LOG_SERVER_PORT": find_port()},
            "USAGE_DATA_COLLECTION": {"ENABLED": False},
        }  # fmt: skip
        self.environment = os.environ | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps({"conn_type": "spark", "host": "local[2]"}),
            "PATH": f"{AIRFLOW_BIN}:{os.environ['PATH']}",
            "SPARKSCORE_ROOT": str(ROOT),
            "SPARKSCORE_CONFIG": str(HOME / "job.yaml"),
            "SPARKSCORE_SUITE": str(HOME / "suite.json"),
            "SPARKSCORE_TABLE": str(TABLE),
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
            "SPARK_SUBMIT_OPTS": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC",
            "no_proxy": "127.0.0.1,localhost",
            **{
                f"AIRFLOW__{section}__{key}": str(value)
                for section, keys in sections.items()
                for key, value in keys.items()
            },
        }

    def start(self, component: str, *options: str, name: str | None = None) -> "subprocess.Popen[bytes]":
        """A process of Airflow."""
        return self.services.start(
            name or component, [str(AIRFLOW_BIN / "airflow"), component, *options], self.environment
        )

    def start_all(self) -> None:
        """The database, and the processes that these DAGs need: nothing is deferred, so that there is no triggerer."""
        subprocess.run(
            [str(AIRFLOW_BIN / "airflow"), "db", "migrate"], env=self.environment, check=True, stdout=sys.stderr
        )
        self.start("api-server")
        self.start("dag-processor")
        self.start("scheduler")
        address = f"http://127.0.0.1:{self.port}"
        wait_for(lambda: requests.get(f"{address}/api/v2/version", timeout=10).ok, "the api-server")
        token = requests.get(f"{address}/auth/token", timeout=30).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"
        wait_for(lambda: self.find_dags() >= {"flight_delay", "flight_delay_read", "unfilled"}, "the DAGs")

    def call(self, method: str, path: str, **body: Any) -> Any:
        """The answer of the REST API."""
        answer = self.session.request(
            method, f"http://127.0.0.1:{self.port}/api/v2/{path}", json=body or None, timeout=60
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def find_dags(self) -> set[str]:
        """What the dag-processor has found."""
        return {dag["dag_id"] for dag in self.call("GET", "dags")["dags"]}

    def unpause(self, dag: str) -> None:
        """Lets the scheduler run a DAG."""
        self.call("PATCH", f"dags/{dag}", is_paused=False)

    def trigger(self, dag: str, logical_date: str | None = None, **conf: str) -> str:
        """Starts a run, and gives its id."""
        return str(self.call("POST", f"dags/{dag}/dagRuns", logical_date=logical_date, conf=conf)["dag_run_id"])

    def find_runs(self, dag: str) -> list[Any]:
        """All runs of a DAG."""
        return list(self.call("GET", f"dags/{dag}/dagRuns?limit=100")["dag_runs"])

    def wait_run(self, dag: str, run: str) -> str:
        """The state in which a run ends, as state."""

        def ended() -> str | None:
            state = self.call("GET", f"dags/{dag}/dagRuns/{run}")["state"]
            return str(state) if state in {"success", "failed"} else None

        return str(wait_for(ended, f"the end of {dag} {run}"))

    def list_tasks(self, dag: str, run: str) -> dict[str, tuple[str, int]]:
        """State and try of each task."""
        found = self.call("GET", f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {one["task_id"]: (one["state"], one["try_number"]) for one in found}

    def load_log(self, dag: str, run: str, task: str, attempt: int) -> str:
        """What a try has logged."""
        answer = self.call("GET", f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}?full_content=true")
        return json.dumps(answer)


def make_home(airflow: Airflow) -> None:
    """The job, in the suite's own environment."""
    command = [
        SUITE_PYTHON,
        "ci/integration/airflow/make_home.py",
        str(HOME),
        f"http://127.0.0.1:{airflow.registry_port}",
    ]
    subprocess.run(command, check=True, stdout=sys.stderr)


def start_registry(airflow: Airflow) -> None:
    """The MLflow server that the job asks for its model."""
    command = [
        SUITE_PYTHON, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{HOME}/registry.db",
        "--host", "127.0.0.1", "--port", str(airflow.registry_port), "--workers", "1",
    ]  # fmt: skip
    airflow.services.start("registry", command, dict(os.environ))
    address = f"http://127.0.0.1:{airflow.registry_port}/health"
    wait_for(lambda: requests.get(address, timeout=10).ok, "the registry")


def load_predictions() -> dict[str, tuple[int, int]]:
    """By as_of: rows, and different keys."""
    rows = DeltaTable(str(TABLE)).to_pyarrow_table(["as_of", "id"])
    found: dict[str, list[int]] = {}
    for as_of, key in zip(rows["as_of"].to_pylist(), rows["id"].to_pylist(), strict=True):
        found.setdefault(as_of.strftime("%Y-%m-%dT%H:%M:%SZ"), []).append(key)
    return {as_of: (len(keys), len(set(keys))) for as_of, keys in found.items()}


def list_events(as_of: str, event: str) -> int:
    """How many events of one kind an as_of has."""
    runs = DeltaTable(f"{TABLE}_runs").to_pyarrow_table(["as_of", "event"])
    pairs = zip(runs["as_of"].to_pylist(), runs["event"].to_pylist(), strict=True)
    return sum(1 for at, name in pairs if (at.strftime("%Y-%m-%dT%H:%M:%SZ"), name) == (as_of, event))


def assert_published_once(as_of: str) -> None:
    """Each row of the source once, by one publication."""
    rows, published = load_predictions().get(as_of), list_events(as_of, "published")
    assert (rows, published) == ((ROWS, ROWS), 1), f"{as_of}: {rows} rows and keys, {published} publications"


def show(text: str) -> None:
    """One line of what was shown."""
    print(text, flush=True)


@contextmanager
def hold_model() -> Iterator[Callable[[int], None]]:
    """Models wait in the middle of scoring; gives what waits until so many do."""
    for file in HOME.glob("hold*"):
        file.unlink()
    HOLD.touch()
    try:
        yield lambda models: wait_for(lambda: len(list(HOME.glob("hold-*"))) >= models, f"{models} models that predict")
    finally:
        HOLD.unlink(missing_ok=True)


def is_running(text: str) -> bool:
    """Whether a process with this in its command line lives."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if text in file.read_bytes().replace(b"\0", b" ").decode(errors="replace"):
                return True
    return False


def show_retry_of_75(airflow: Airflow, as_of: str) -> None:
    """A normal run, but that the registry comes later."""
    run = airflow.trigger("flight_delay", as_of)
    wait_for(
        lambda: airflow.list_tasks("flight_delay", run).get("score", ("", 0))[0] == "up_for_retry", "a first failure"
    )
    start_registry(airflow)
    state, tasks = airflow.wait_run("flight_delay", run), airflow.list_tasks("flight_delay", run)
    assert state == "success", tasks
    attempts = tasks["score"][1]
    assert attempts >= 2, tasks
    log = airflow.load_log("flight_delay", run, "score", 1)
    assert "RegistryUnreachable" in log and "exit code 75" in log, log[-3000:]
    assert (tasks["gate"][1], tasks["check_sla"]) == (1, ("success", 1)), tasks
    assert_published_once(as_of)
    show(f"a run whose registry was not up: 75, retried, published in try {attempts} as its logical date, {as_of}")


def show_reader(airflow: Airflow, as_of: str) -> None:
    """The DAG that the asset starts."""
    (run,) = wait_for(lambda: airflow.find_runs("flight_delay_read"), "a run that the asset starts")
    assert run["run_type"] == "asset_triggered", run
    assert airflow.wait_run("flight_delay_read", run["dag_run_id"]) == "success"
    task = f"dags/flight_delay_read/dagRuns/{run['dag_run_id']}/taskInstances/count_predictions"
    value = airflow.call("GET", f"{task}/xcomEntries/return_value?deserialize=true")["value"]
    assert list(value.values()) == [ROWS], value
    assert datetime.fromisoformat(next(iter(value))) == datetime.fromisoformat(as_of), value
    show(f"the asset of the prediction table started the reading DAG, which read {ROWS} predictions of {as_of}")


def show_backfill(airflow: Airflow) -> None:
    """Three dates, with a second scheduler beside the first."""
    airflow.environment["AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT"] = str(find_port())
    airflow.start("scheduler", name="scheduler-2")
    airflow.call(
        "POST", "backfills", dag_id="flight_delay", from_date="2013-12-01T00:00:00Z", to_date="2013-12-03T00:00:00Z",
        max_active_runs=2, dag_run_conf={}, run_backwards=False, reprocess_behavior="none",
    )  # fmt: skip
    as_ofs = [f"2013-12-0{day}T00:00:00Z" for day in (1, 2, 3)]

    def backfilled() -> list[Any]:
        runs = [one for one in airflow.find_runs("flight_delay") if one["run_type"] == "backfill"]
        return runs if len(runs) == 3 and all(one["state"] in {"success", "failed"} for one in runs) else []

    runs = wait_for(backfilled, "three runs of the back-fill")
    tasks = {one["dag_run_id"]: airflow.list_tasks("flight_delay", one["dag_run_id"]) for one in runs}
    assert [one["state"] for one in runs] == ["success"] * 3, tasks
    for as_of in as_ofs:
        assert_published_once(as_of)
    alive = airflow.services.running["scheduler-2"].poll() is None
    airflow.services.stop("scheduler-2")
    tries = sorted({attempt for states in tasks.values() for _, attempt in states.values()})
    show(f"a back-fill of three dates with two schedulers at once: each as_of published once, tries {tries}")
    assert alive, "the second scheduler ended by itself"


def show_kill(airflow: Airflow, as_of: str) -> None:
    """Marked failed in the middle of scoring, then cleared."""
    with hold_model() as wait_held:
        run = airflow.trigger("flight_delay", as_of)
        wait_held(1)
        assert is_running(f"--as-of {as_of[:10]}")
        airflow.call("PATCH", f"dags/flight_delay/dagRuns/{run}/taskInstances/score", new_state="failed")
        wait_for(lambda: not is_running(f"--as-of {as_of[:10]}"), "the end of what Airflow kills")
    assert as_of not in load_predictions()
    assert airflow.wait_run("flight_delay", run) == "failed"
    airflow.call(
        "POST", "dags/flight_delay/clearTaskInstances", dag_run_id=run, task_ids=["score"], include_downstream=True,
        dry_run=False, only_failed=False, reset_dag_runs=True,
    )  # fmt: skip
    wait_for(lambda: airflow.call("GET", f"dags/flight_delay/dagRuns/{run}")["state"] != "failed", "the cleared run")
    assert airflow.wait_run("flight_delay", run) == "success", airflow.list_tasks("flight_delay", run)
    assert_published_once(as_of)
    show("a run marked failed while it scored: its processes ended, nothing was visible; cleared, it published once")


def show_twice_and_late(airflow: Airflow, as_of: str) -> None:
    """Two runs for one as_of at the same moment, two days late."""
    with hold_model() as wait_held:
        runs = [airflow.trigger("flight_delay", as_of=as_of) for _ in range(2)]
        wait_held(2)
    for run in runs:
        airflow.wait_run("flight_delay", run)
    tasks = [airflow.list_tasks("flight_delay", run) for run in runs]
    assert [one["score"][0] for one in tasks] == ["success"] * 2, tasks
    assert_published_once(as_of)
    logs = [
        airflow.load_log("flight_delay", run, "score", one["score"][1]) for run, one in zip(runs, tasks, strict=True)
    ]
    assert sum("already_published" in log for log in logs) == 1, [log[-2000:] for log in logs]
    show("two runs for one as_of, both scoring at the same moment: one publication, the other said already_published")
    assert [one["check_sla"] for one in tasks] == [("failed", 1)] * 2, tasks
    log = airflow.load_log("flight_delay", runs[0], "check_sla", 1)
    assert "Error code is: 5" in log and "published within" in log, log[-3000:]
    show("the same as_of was two days late: check_sla ended with 5, said by how much, and was not retried")


def show_gate(airflow: Airflow, as_of: str) -> None:
    """A source that breaks a critical rule."""
    table = DeltaTable(str(HOME / "home/tables/flights"))
    version = table.version()
    table.update({"x1": "NULL"}, predicate="id < 10")
    run = airflow.trigger("flight_delay", as_of)
    assert airflow.wait_run("flight_delay", run) == "failed"
    tasks = airflow.list_tasks("flight_delay", run)
    assert tasks["gate"] == ("failed", 1), tasks
    assert tasks["score"][0] == "upstream_failed", tasks
    log = airflow.load_log("flight_delay", run, "gate", 1)
    assert "Error code is: 3" in log and "exit code 3" in log, log[-3000:]
    assert as_of not in load_predictions()
    table.restore(version)
    show("a source that breaks a rule: gate ended with 3 and was not retried, score did not start")


def show_unfilled(airflow: Airflow) -> None:
    """A template that nobody has filled."""
    run = airflow.trigger("unfilled", "2013-12-20T00:00:00Z")
    assert airflow.wait_run("unfilled", run) == "failed"
    assert airflow.list_tasks("unfilled", run)["score"] == ("failed", 1)
    log = airflow.load_log("unfilled", run, "score", 1)
    assert "Error code is: 2" in log and "{{ ds }}" in log, log[-3000:]
    line = next(part for part in log.split('"') if part.startswith("sparkscore: "))
    show(f"an unfilled template: exit 2, not retried, and the log says: {line[:160]}")


def show_missing_run(airflow: Airflow) -> None:
    """A day without a run."""
    run = airflow.trigger("flight_delay_watch", "2013-12-21T00:00:00Z")
    assert airflow.wait_run("flight_delay_watch", run) == "failed"
    log = airflow.load_log("flight_delay_watch", run, "check_sla", 1)
    assert "Error code is: 5" in log and "never started" in log, log[-3000:]
    show("a day without a run: check_sla on its own schedule ended with 5 and said: never started")


def show_taken_port(airflow: Airflow) -> None:
    """A second api-server on the port of the first."""
    second = airflow.start("api-server", name="api-server-2")
    code = wait_for(lambda: (second.poll(),) if second.poll() is not None else None, "the second api-server")[0]
    log = (WORK / "api-server-2.log").read_text(encoding="utf-8", errors="replace")
    assert code and "address already in use" in log, (code, log[-1000:])
    assert airflow.find_dags()
    show(f"an api-server on a port in use ended with {code} and said so; the first one went on")


def show_refusal(airflow: Airflow, as_of: str) -> None:
    """A run for a logical date that has one."""
    try:
        airflow.trigger("flight_delay", as_of)
    except AssertionError as refused:
        assert ": 409 " in str(refused), refused
        show("a second run with the same logical date is refused by Airflow itself: 409")
    else:
        raise AssertionError("Airflow took a second run with the same logical date")


def show_all(airflow: Airflow) -> None:
    """Everything, in an order in which each finds what it needs."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    today, late = (at.strftime("%Y-%m-%dT%H:%M:%SZ") for at in (now, now - timedelta(days=2)))
    for dag in ("flight_delay", "flight_delay_watch", "unfilled"):
        airflow.unpause(dag)
    show_unfilled(airflow)
    start_registry(airflow)
    show_backfill(airflow)
    show_missing_run(airflow)
    airflow.unpause("flight_delay_read")
    show_retry_of_75(airflow, today)
    show_refusal(airflow, today)
    show_reader(airflow, today)
    show_gate(airflow, "2013-12-22T00:00:00Z")
    show_kill(airflow, (now - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    show_twice_and_late(airflow, late)
    show_taken_port(airflow)


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> None:
    """Starts what is needed, and stops it."""
    signal.signal(signal.SIGTERM, _end)
    services = Services()
    try:
        airflow = Airflow(services)
        make_home(airflow)
        airflow.start_all()
        show_all(airflow)
    finally:
        services.stop_all()


if __name__ == "__main__":
    main()
