"""Airflow's processes and an MLflow server, on the loopback interface, and Airflow's REST API."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests

ROOT = Path.cwd()
WORK = Path(os.environ["INTEGRATION_WORK"])
HOME = WORK / "flights"
TABLE = HOME / "home" / "tables" / "flight_delay_predictions"
SUITE_PYTHON = os.environ["SPARKSCORE_PYTHON"]
AIRFLOW_BIN = Path(sys.executable).parent
LIMIT = float(os.environ.get("INTEGRATION_PATIENCE", "900"))
"""Seconds that one thing may take, on a busy machine."""
UNFILLED = """
from airflow.sdk import literal

with DAG("unfilled", schedule=None):
    submit("score", "--as-of", literal("{{ ds }}"))
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
        example = (ROOT / "conf/orchestration/airflow/flight_delay.py").read_text(encoding="utf-8")
        (dags / "flight_delay.py").write_text(example, encoding="utf-8")
        (dags / "unfilled.py").write_text(example.partition("\nwith DAG")[0] + UNFILLED, encoding="utf-8")
        sections = {
            "CORE": {
                "DAGS_FOLDER": dags, "LOAD_EXAMPLES": False, "EXECUTOR": "LocalExecutor", "PARALLELISM": 3,
                "EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
                "SIMPLE_AUTH_MANAGER_ALL_ADMINS": True, "DEFAULT_TASK_RETRY_DELAY": 15,
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
            "FLIGHTS_ROOT": str(ROOT),
            "FLIGHTS_CONFIG": str(HOME / "job.yaml"),
            "FLIGHTS_SUITE": str(HOME / "suite.json"),
            "FLIGHTS_TABLE": str(TABLE),
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

    def pause(self, dag: str) -> None:
        """Lets the scheduler start no more runs of a DAG."""
        self.call("PATCH", f"dags/{dag}", is_paused=True)

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
        return json.dumps(answer, ensure_ascii=False)


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
