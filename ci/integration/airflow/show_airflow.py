"""Runs the DAGs of conf/orchestration/airflow with Airflow itself, and prints a line per thing that was shown."""

import json
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from airflow_processes import HOME, TABLE, WORK, Airflow, Services, find_port, make_home, start_registry, wait_for
from deltalake import DeltaTable

HOLD = HOME / "hold"
ROWS = 2000


def load_predictions() -> dict[str, tuple[int, int]]:
    """By as_of: rows, and different keys."""
    rows = DeltaTable(str(TABLE)).to_pyarrow_table(columns=["as_of", "id"])
    found: dict[str, list[int]] = {}
    for as_of, key in zip(rows["as_of"].to_pylist(), rows["id"].to_pylist(), strict=True):
        found.setdefault(as_of.strftime("%Y-%m-%dT%H:%M:%SZ"), []).append(key)
    return {as_of: (len(keys), len(set(keys))) for as_of, keys in found.items()}


def count_publications(as_of: str) -> int:
    """Commits to the prediction table that published an as_of."""
    notes = [json.loads(commit.get("userMetadata") or "{}") for commit in DeltaTable(str(TABLE)).history()]
    return sum(1 for note in notes if note.get("sparkscore", {}).get("as_of") == as_of)


def assert_published_once(as_of: str) -> None:
    """Each row of the source once, by one commit."""
    rows, commits = load_predictions().get(as_of), count_publications(as_of)
    assert (rows, commits) == ((ROWS, ROWS), 1), f"{as_of}: {rows} rows and keys, {commits} commits"


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
    """The run that the schedule asks for, but that the registry comes later."""
    airflow.unpause("flight_delay_read")
    airflow.unpause("flight_delay")
    (found,) = wait_for(lambda: airflow.find_runs("flight_delay"), "the scheduled run")
    run = found["dag_run_id"]
    assert found["run_type"] == "scheduled", found
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
    show(f"a scheduled run whose registry was not up: 75, retried, published in try {attempts} as {as_of}")


def show_reader(airflow: Airflow, as_of: str) -> None:
    """The DAG that the asset starts."""
    (run,) = wait_for(lambda: airflow.find_runs("flight_delay_read"), "a run that the asset starts")
    assert run["run_type"] == "asset_triggered", run
    assert airflow.wait_run("flight_delay_read", run["dag_run_id"]) == "success"
    task = f"dags/flight_delay_read/dagRuns/{run['dag_run_id']}/taskInstances/count_predictions"
    value = airflow.call("GET", f"{task}/xcomEntries/return_value?deserialize=true")["value"]
    assert list(value.values()) == [ROWS], value
    assert datetime.fromisoformat(next(iter(value))) == datetime.fromisoformat(as_of), value
    airflow.pause("flight_delay_read")
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
        assert is_running(f"--as-of {as_of[:16]}")
        airflow.call("PATCH", f"dags/flight_delay/dagRuns/{run}/taskInstances/score", new_state="failed")
        wait_for(lambda: not is_running(f"--as-of {as_of[:16]}"), "the end of what Airflow kills")
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
    airflow.unpause("unfilled")
    run = airflow.trigger("unfilled", "2013-12-20T00:00:00Z")
    assert airflow.wait_run("unfilled", run) == "failed"
    assert airflow.list_tasks("unfilled", run)["score"] == ("failed", 1)
    log = airflow.load_log("unfilled", run, "score", 1)
    assert "Error code is: 2" in log and "{{ ds }}" in log, log[-3000:]
    line = next(part for part in log.split('"') if part.startswith("sparkscore: "))
    show(f"an unfilled template: exit 2, not retried, and the log says: {line[:160]}")


def show_missing_run(airflow: Airflow) -> None:
    """A job that nobody has started."""
    airflow.unpause("flight_delay_watch")
    run = wait_for(lambda: airflow.find_runs("flight_delay_watch"), "the scheduled watch")[0]["dag_run_id"]
    assert airflow.wait_run("flight_delay_watch", run) == "failed"
    log = airflow.load_log("flight_delay_watch", run, "check_sla", 1)
    assert "Error code is: 5" in log and "no run of the job has started yet" in log, log[-3000:]
    airflow.pause("flight_delay_watch")
    show("a job without a run: check_sla on its own schedule ended with 5 and said: no run of the job has started yet")


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


def show_all(airflow: Airflow) -> int:
    """Everything, in an order in which each finds what it needs; how much of it failed."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    today, killed, late = (
        (midnight + offset).strftime("%Y-%m-%dT%H:%M:%SZ")
        for offset in (timedelta(0), timedelta(minutes=1), timedelta(days=-2))
    )
    parts: list[Callable[[], None]] = [
        lambda: show_unfilled(airflow),
        lambda: show_missing_run(airflow),
        lambda: show_retry_of_75(airflow, today),
        lambda: show_refusal(airflow, today),
        lambda: show_reader(airflow, today),
        lambda: show_gate(airflow, "2013-12-22T00:00:00Z"),
        lambda: show_kill(airflow, killed),
        lambda: show_twice_and_late(airflow, late),
        lambda: show_backfill(airflow),
        lambda: show_taken_port(airflow),
    ]
    failed = 0
    for part in parts:
        try:
            part()
        except Exception:  # noqa: BLE001  # whatever it was, the others are shown
            traceback.print_exc()
            failed += 1
    return failed


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
        failed = show_all(airflow)
    finally:
        services.stop_all()
    if failed:
        raise SystemExit(f"{failed} failed (above)")


if __name__ == "__main__":
    main()
