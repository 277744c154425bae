"""Two flows that Prefect runs each day: the source is judged and scored; and what is not published in time is found.

    JOB_ROOT=/opt/sparkscore JOB_CONFIG=conf/quickstart.yaml python daily_flow.py

serves both as deployments. Nothing of sparkscore is imported: Prefect has an environment of its own, and starts
./spark-submit.sh as a process, whose exit code and result line say what came of it. Only exit code 75 is tried again.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, serve, task
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.runtime import flow_run

ROOT = Path(os.environ.get("JOB_ROOT", "."))
CONFIG = os.environ.get("JOB_CONFIG", "conf/quickstart.yaml")
RETRY_SECONDS = float(os.environ.get("JOB_RETRY_SECONDS", "300"))
TEMPORARY = 75


class VerbFailed(Exception):
    """A verb that did not end with 0."""

    def __init__(self, verb: str, exit_code: int, message: str) -> None:
        super().__init__(verb, exit_code, message)
        self.exit_code = exit_code

    def __str__(self) -> str:
        return "{} ended with exit code {}: {}".format(*self.args)


def is_temporary(task: object, run: object, state: Any) -> bool:
    """Whether a retry may help: the suite says so by exit code 75, and by no other."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, VerbFailed) and error.exit_code == TEMPORARY


@task(retries=3, retry_delay_seconds=RETRY_SECONDS, retry_condition_fn=is_temporary, task_run_name="{verb}")
def run_verb(verb: str, words: list[str]) -> dict[str, Any]:
    """Run a verb to its end; its result. When Prefect cancels the run, the verb gets SIGTERM and is waited for."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        command = [str(ROOT / "spark-submit.sh"), f"jobs/{verb}.py", *words, "--result", str(result)]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        try:
            line = json.loads(result.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # it was killed, or never came so far
            line = {}
    if code != 0:
        broken = ", ".join(line.get("broken") or line.get("sla_broken") or [])
        raise VerbFailed(verb, code, (line.get("error") or {}).get("message") or broken or "see its log")
    get_run_logger().info("%s: %s", verb, json.dumps(line))
    return line


@flow(name="sparkscore score")
def score_daily(
    as_of: str | None = None, config: str = CONFIG, table: str = "flights", suite: str | None = None
) -> dict[str, Any]:
    """Judge the table by the suite, where one is named; score it; hold the job against its SLA rules.

    The as_of is the date for which the run is scheduled, which a late start and a retry keep.
    """
    as_of = as_of or f"{flow_run.scheduled_start_time:%Y-%m-%d}"
    if suite:
        run_verb("gate", ["check", table, "--suite", suite, "--config", config])
    report = run_verb("score", ["--config", config, "--as-of", as_of])
    run_verb("check_sla", ["--config", config, "--as-of", as_of])
    return report


@flow(name="sparkscore late")
def find_late(as_of: str | None = None, config: str = CONFIG) -> None:
    """Fail where a run is late, or never started: that one cannot say so itself."""
    run_verb("check_sla", ["--config", config, *(["--as-of", as_of] if as_of else [])])


if __name__ == "__main__":
    one_at_a_time = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
    serve(
        score_daily.to_deployment("daily", cron="0 6 * * *", concurrency_limit=one_at_a_time),
        find_late.to_deployment("daily", cron="0 9 * * *"),
    )
