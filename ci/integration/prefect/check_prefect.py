"""The flows of conf/orchestration/prefect, by a server and a runner of Prefect's own."""

import os
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from scheduled_job import ROOT, WORK, ScheduledJob, ask_json, find_free_port, require, running, say, wait_for

PORT = find_free_port()
API = f"http://127.0.0.1:{PORT}/api"
DAY = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
"""Yesterday: a run of today could still be in the future, and one of the day before would be late."""


def find_deployment(flow: str) -> str | None:
    """The id of a flow's deployment; None while it is not there."""
    found = ask_json(f"{API}/deployments/filter", {"flows": {"name": {"any_": [flow]}}})
    return found[0]["id"] if found else None


def start_run(deployment: str, day: str, **parameters: Any) -> str:
    """A run as the schedule would have made it for this day, 06:00 UTC; its id."""
    state = {"type": "SCHEDULED", "state_details": {"scheduled_time": f"{day}T06:00:00Z"}}
    body = {"state": state, "parameters": parameters}
    return str(ask_json(f"{API}/deployments/{deployment}/create_flow_run", body)["id"])


def show_state(run: str) -> tuple[str, str, str]:
    """Type, name and message of a run's state."""
    state = ask_json(f"{API}/flow_runs/{run}")["state"]
    return state["type"], state["name"], state["message"] or ""


def show_tasks(run: str) -> dict[str, list[tuple[str, int]]]:
    """How each verb of a run ended, and how often it was tried."""
    tasks = ask_json(f"{API}/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
    return {one["name"]: (one["state_type"], one["run_count"]) for one in tasks}


def await_end(run: str) -> tuple[str, str, str]:
    """The state in which a run ends."""
    ends = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
    wait_for(f"the end of the flow run {run}", lambda: show_state(run)[0] in ends, seconds=600)
    return show_state(run)


def check_flows(job: ScheduledJob) -> None:
    """All of it, by a server and a runner that are up."""
    score = wait_for("the deployment", lambda: find_deployment("sparkscore score"))
    late = wait_for("the deployment", lambda: find_deployment("sparkscore late"))
    schedules = ask_json(f"{API}/deployments/{score}")["schedules"]
    require([one["schedule"]["cron"] for one in schedules] == ["0 6 * * *"], schedules)
    say(f"served: two deployments of Prefect {version('prefect')}, by a runner, a server on SQLite and its API")

    run = start_run(score, DAY, as_of="{{ ds }}")
    ended = await_end(run)
    require(ended[0] == "FAILED" and "exit code 2" in ended[2], ended)
    require(show_tasks(run) == {"score": ("FAILED", 1)}, show_tasks(run))
    say(f"unfilled template: as_of '{{{{ ds }}}}' ends with 2 and is not tried again: {ended[2][:150]!r}")

    run = start_run(late, DAY, as_of="2013-12-30")
    ended = await_end(run)
    require(ended[0] == "FAILED" and "exit code 5" in ended[2], ended)
    require(show_tasks(run) == {"check_sla": ("FAILED", 1)}, show_tasks(run))
    say(f"late: check_sla of an as_of that never started ends with 5: {ended[2][:150]!r}")

    job.hold()
    first = start_run(score, DAY)
    wait_for("the model of the first run", job.is_reached)
    second = start_run(score, DAY, suite=str(job.folder / "flights.json"))
    wait_for("the second run's waiting", lambda: show_state(second)[1] == "AwaitingConcurrencySlot")
    say("started twice: the second run waits for the first one (AwaitingConcurrencySlot)")
    ask_json(f"{API}/flow_runs/{first}/set_state", {"state": {"type": "CANCELLING"}, "force": False})
    require(await_end(first)[0] == "CANCELLED", show_state(first))
    wait_for("the end of the first run's process", lambda: not job.find_processes(), seconds=120)
    seen, events = job.show(DAY)
    require(not seen and events[0] == "started", (seen, events))
    say(f"killed: cancelled while it scored; no process is left, nothing is visible ({', '.join(events)})")
    job.block_exports()
    job.release()
    wait_for(
        "a retry",
        lambda: show_state(second)[1] == "Running" and show_tasks(second).get("score", [""])[0] == "SCHEDULED",
        seconds=600,
    )
    job.allow_exports()
    require(await_end(second)[0] == "COMPLETED", show_state(second))
    tasks = show_tasks(second)
    require(tasks["score"] == ("COMPLETED", 2), tasks)
    say(f"run again: gate check, score and check_sla; exit code 75 was tried again, and only that: {tasks}")
    events = job.require_once(DAY)
    say(f"rows once: 60 rows, one publication ({', '.join(events)}); as_of {DAY} is the date it was scheduled for")


def main() -> None:
    """Start Prefect's server and the flows' runner; check; stop both."""
    job = ScheduledJob()
    environ = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PREFECT_HOME": str(WORK / "prefect"),
        "PREFECT_PROFILES_PATH": str(WORK / "prefect" / "profiles.toml"),
        "PREFECT_API_URL": API,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        "PREFECT_CLI_PROMPT": "false",
        "JOB_ROOT": str(ROOT),
        "JOB_CONFIG": job.config,
        "JOB_RETRY_SECONDS": "2",
    }
    environ.pop("PYTHONPATH", None)
    (WORK / "prefect").mkdir()
    server = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(PORT), "--no-ui"]
    with running(server, environ, WORK / "server.log"):

        def is_up() -> bool:
            try:
                return bool(ask_json(f"{API}/health"))
            except OSError:
                return False

        wait_for("the server's health", is_up)
        flows = [sys.executable, ROOT / "conf" / "orchestration" / "prefect" / "daily_flow.py"]
        with running(flows, environ, WORK / "flows.log"):
            check_flows(job)


if __name__ == "__main__":
    main()
