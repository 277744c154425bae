"""MLflow's own server with the app basic-auth over PostgreSQL, and runs of the suite on a standalone Spark against it.

Started by run.sh with an empty folder. Each check prints a line of what it has shown.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import pyspark
import requests
import yaml
from deltalake import DeltaTable, write_deltalake
from mlflow.server import get_app_client
from tests.postgres import PASSWORD as DATABASE_PASSWORD
from tests.postgres import Postgres, serve_postgres
from tests.standalone import standalone
from tests.world import MODEL, fitted, source_rows

ROOT = Path(__file__).resolve().parents[3]
ADMIN, ADMIN_PASSWORD = "admin", "adm1n-Passw0rd-of-a-test"
SCORER, SCORER_PASSWORD = "scorer", "sc0rer-Passw0rd-of-a-test"
STRANGER, STRANGER_PASSWORD = "stranger", "str4nger-Passw0rd-of-a-test"
SECRETS = (ADMIN_PASSWORD, SCORER_PASSWORD, STRANGER_PASSWORD, "wr0ng-Passw0rd-of-a-test", DATABASE_PASSWORD)
_PATIENCE_S = 180


def say(text: str) -> None:
    """A line of what was shown."""
    print(text, flush=True)


def credentials(user: str | None, password: str = "") -> dict[str, str]:
    """The environment of a driver; None: without any."""
    return {} if user is None else {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password}


@contextmanager
def mlflow_server(postgres: Postgres, folder: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Its address and its process: whoever asks needs a user's password."""
    postgres.run_sql("CREATE DATABASE users")
    config = folder / "auth.ini"
    store = postgres.uri.replace("postgresql://", "postgresql+psycopg2://")  # SQLAlchemy's default is another driver
    users = store.rpartition("/")[0] + "/users"
    settings = {"default_permission": "READ", "database_uri": users, "admin_username": ADMIN}
    settings |= {"admin_password": ADMIN_PASSWORD}
    settings |= {"authorization_function": "mlflow.server.auth:authenticate_request_basic_auth"}
    config.write_text("[mlflow]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--workers", "1"]
    command += ["--backend-store-uri", store, "--artifacts-destination", str(folder / "store")]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    environ = os.environ | {"MLFLOW_AUTH_CONFIG_PATH": str(config), "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-a-test"}
    address = f"http://127.0.0.1:{port}"
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for_server(address, process, folder / "server.log")
            yield address, process
        finally:
            end_server(process)


def wait_for_server(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Until it answers."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if requests.get(f"{address}/health", timeout=2).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.5)
    raise SystemExit(f"the server did not start:\n{log.read_text()[-3000:]}")


def end_server(process: "subprocess.Popen[bytes]") -> None:
    """The process with its workers, which are in a group of their own."""
    if process.poll() is None:
        os.killpg(process.pid, 9)
        process.wait(timeout=30)


def register_models(address: str) -> None:
    """Two versions as the administrator; champion is the first."""
    os.environ |= credentials(ADMIN, ADMIN_PASSWORD)
    mlflow.set_tracking_uri(address)
    frame = source_rows(5).to_pandas()[["x1", "x2"]]
    mlflow.set_experiment("training")
    for seed in (0, 3):
        model = fitted(seed)
        mlflow.sklearn.log_model(
            model,
            name=MODEL,
            signature=mlflow.models.infer_signature(frame, model.predict_proba(frame)),
            pyfunc_predict_fn="predict_proba",
            registered_model_name=MODEL,
            pip_requirements=[],
        )
    mlflow.MlflowClient().set_registered_model_alias(MODEL, "champion", "1")
    users = get_app_client("basic-auth", address)
    users.create_user(SCORER, SCORER_PASSWORD)
    users.create_user(STRANGER, STRANGER_PASSWORD)
    users.grant_user_permission(STRANGER, "registered_model", MODEL, "DENY")
    for name in credentials(ADMIN):
        del os.environ[name]


class Suite:
    """Verbs of the suite by spark-submit, on a standalone Spark whose workers have no credentials."""

    def __init__(self, folder: Path, spark: str, tracking_uri: str) -> None:
        self.folder, self.spark, self.texts = folder, spark, list[str]()
        self.home = folder / "home"
        write_deltalake(str(self.home / "tables" / "flights"), source_rows(60))
        job = {
            "job": "late-flights",
            "home": str(self.home),
            "source": {"table": "flights", "keys": ["id"], "passthrough": ["carrier"]},
            "model": {"uri": f"models:/{MODEL}@champion", "tracking_uri": tracking_uri},
            "output": {"table": "predictions", "threshold": 0.5},
        }
        (folder / "job.yaml").write_text(yaml.safe_dump(job))

    def run(self, verb: str, *words: str, **environ: str) -> tuple[int, dict[str, Any], str]:
        """Exit code, result, and all that was told: spark-submit puts what a driver says on stderr on stdout, too."""
        command = [f"{Path(pyspark.__file__).parent}/bin/spark-submit", "--master", self.spark]
        command += ["--properties-file", "conf/spark/cluster.conf", "--conf", "spark.executor.memory=512m"]
        command += ["--conf", f"spark.pyspark.driver.python={sys.executable}"]
        command += ["--conf", f"spark.executorEnv.PYTHONPATH={ROOT / 'src'}"]
        command += [f"jobs/{verb}.py", "--config", str(self.folder / "job.yaml"), *words]
        own = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_TR", "PYSPARK_"))}
        own |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1", **environ}
        done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=False, timeout=600)
        self.texts += [done.stdout, done.stderr]
        if not done.stdout.strip():
            raise SystemExit(f"{verb} told nothing:\n{done.stderr[-3000:]}")
        return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr + done.stdout

    def score(self, day: int, user: str | None, password: str = "") -> tuple[int, dict[str, Any], str]:
        """A run of a day."""
        return self.run("score", "--as-of", f"2013-01-0{day}", **credentials(user, password))


def require(condition: object, *told: object) -> None:
    """End the check unless it holds."""
    if not condition:
        raise SystemExit(f"not as it should be: {told}"[:4000])


def find_secrets(suite: Suite, spark: Path) -> list[str]:
    """Where a secret stands: in what verbs told, below the home, in what executors were started with and have told."""
    texts = dict(enumerate(suite.texts))
    found = [f"output {number}" for number, text in texts.items() if any(one in text for one in SECRETS)]
    for folder in (suite.home, spark):
        files = (file for file in folder.rglob("*") if file.is_file())
        found += [str(file) for file in files if any(one.encode() in file.read_bytes() for one in SECRETS)]
    return found


def check_runs(suite: Suite, address: str, process: "subprocess.Popen[bytes]") -> None:
    """The checks, in an order in which each begins with what the one before has left."""
    code, told, said = suite.run("doctor", **credentials(SCORER, SCORER_PASSWORD))
    checks = {one["name"]: one for one in told["checks"]}
    require(
        (code, checks["registry"]["status"], checks["clock of the registry"]["status"]) == (0, "ok", "ok"), told, said
    )
    say(f"doctor: {checks['registry']['found']}; the server's clock is {checks['clock of the registry']['found']}")

    code, told, said = suite.score(1, SCORER, SCORER_PASSWORD)
    require((code, told.get("rows_scored")) == (0, 60), told, said[-2000:])
    logged = mlflow_runs(address)
    say(f"with a password: 60 rows, version {told['model']['version']}; only the driver has one; {logged} run logged")

    for user, password in ((None, ""), (SCORER, "wr0ng-Passw0rd-of-a-test")):
        code, told, said = suite.score(2, user, password)
        require((code, told["error"]["class"]) == (2, "AccessDenied"), told, said[-2000:])
        require("MLFLOW_TRACKING_USERNAME" in said, said[-3000:])
        say(f"{'no password' if user is None else 'a wrong password'}: exit 2, {told['error']['message'][:80]}")

    code, told, said = suite.score(2, STRANGER, STRANGER_PASSWORD)
    require(code == 2, told, said[-2000:])
    say(f"a user without permission on the model: exit 2, {told['error']['message'][:80]}")

    os.environ |= credentials(ADMIN, ADMIN_PASSWORD)
    mlflow.MlflowClient(address, registry_uri=address).set_registered_model_alias(MODEL, "champion", "2")
    for name in credentials(ADMIN):
        del os.environ[name]
    code, told, said = suite.score(1, SCORER, SCORER_PASSWORD)
    require((code, told["status"], told["newer"]["model_version"]) == (0, "already_published", "2"), told, said[-2000:])
    code, told, said = suite.score(2, SCORER, SCORER_PASSWORD)
    require((code, told["model"]["version"]) == (0, "2"), told, said[-2000:])
    say("the alias has moved: what is published stays and names the newer version, the next run takes version 2")

    os.killpg(process.pid, 9)
    process.wait(timeout=30)
    code, told, said = suite.score(3, SCORER, SCORER_PASSWORD)
    require(code == 75, code, told, said[-2000:])
    code, told, said = suite.score(1, SCORER, SCORER_PASSWORD)
    require((code, told["status"]) == (0, "already_published"), told, said[-2000:])
    rows = DeltaTable(str(suite.home / "tables" / "predictions")).to_pyarrow_table().num_rows
    require(rows == 120, rows)
    say("the server is gone: a new run ends with 75, a published one is left alone with 0, readers see 120 rows")


def mlflow_runs(address: str) -> int:
    """Runs that the suite has logged."""
    os.environ |= credentials(ADMIN, ADMIN_PASSWORD)
    try:
        client = mlflow.MlflowClient(address)
        experiment = client.get_experiment_by_name("sparkscore/late-flights")
        return 0 if experiment is None else len(client.search_runs([experiment.experiment_id]))
    finally:
        for name in credentials(ADMIN):
            del os.environ[name]


def main(folder: Path) -> None:
    """All of it. Who ends this process ends what it has started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in ("server", "spark", "suite"):
        (folder / name).mkdir(parents=True)
    with serve_postgres(folder) as postgres, mlflow_server(postgres, folder / "server") as (address, process):
        register_models(address)
        tables = postgres.run_sql("SELECT count(*) FROM model_versions")
        say(f"MLflow {mlflow.__version__} with basic auth over PostgreSQL: {tables} versions registered over HTTP")
        with standalone(folder / "spark") as spark:
            suite = Suite(folder / "suite", spark, address)
            check_runs(suite, address, process)
        found = find_secrets(suite, folder / "spark")
        require(found == [], found)
        say("no password is in the output of any run, below the home, or in what executors were started with")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
