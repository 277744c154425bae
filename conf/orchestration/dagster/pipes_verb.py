"""Runs a verb of sparkscore and tells Dagster, through Pipes, what came of it: `pipes_verb.py score --as-of …`.

It needs dagster-pipes alone. Its exit code is 0 where the verb has ended by itself; the verb's own is in the message.
"""

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

from dagster_pipes import PipesContext, open_dagster_pipes


def run_process(words: list[str]) -> tuple[int, dict[str, Any]]:
    """Exit code and result of a verb. SIGTERM and SIGINT, by which Dagster ends a run, are passed on to it."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        command = ["./spark-submit.sh", f"jobs/{words[0]}.py", *words[1:], "--result", str(result)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)

        def end(number: int, frame: FrameType | None) -> None:
            process.terminate()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        code = process.wait()
        try:
            return code, json.loads(result.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # it was killed, or never came so far
            return code, {}


def read_message(code: int, line: dict[str, Any]) -> str:
    """Why it did not end with 0, in a line."""
    broken = ", ".join(line.get("broken") or line.get("sla_broken") or [])
    return (line.get("error") or {}).get("message") or broken or ("see its log" if code else "")


def report_suite(pipes: PipesContext, code: int, line: dict[str, Any], message: str) -> None:
    """`gate check`: the verdict, with each rule as metadata."""
    rules = (line.get("verdict") or {}).get("rules", [])
    told = {one["rule"]: f"{one['observed']}; expected {one['expected']}" for one in rules}
    if code in (0, 3):
        pipes.report_asset_check(
            "suite", passed=code == 0, asset_key="flights", metadata=told | {"verdict": message or "passed"}
        )


def describe_run(line: dict[str, Any]) -> dict[str, Any]:
    """Versions, rows and rejects of an as_of, of what `score` says or of one run of a `backfill`."""
    model, source = line.get("model") or {}, line.get("source") or {}
    told = {
        "model": model.get("name"),
        "model_version": model.get("version") or line.get("model_version"),
        "source": source.get("table"),
        "source_version": source.get("version", line.get("source_version")),
    }
    names = ("table", "table_version", "status", "run_id", "revision", "rows_scored", "rows_rejected")
    told |= {name: line.get(name) for name in names}
    return {name: value for name, value in told.items() if value is not None}


def report_predictions(pipes: PipesContext, code: int, line: dict[str, Any], message: str) -> None:
    """`score` and `backfill`: versions, rows, rejects; verdicts of gates and SLA."""
    runs = line.get("runs", [])
    broken = line.get("sla_broken") or [
        f"{run['as_of']}: {warning}" for run in runs for warning in run["warnings"] if warning.startswith("SLA, ")
    ]
    if code in (0, 3, 5):
        verdict = {"verdict": message if code == 3 else "passed"}
        pipes.report_asset_check("gates", passed=code != 3, asset_key="predictions", metadata=verdict)
        told = {"broken": "; ".join(broken) or "none"}
        pipes.report_asset_check("sla", passed=not broken, severity="WARN", asset_key="predictions", metadata=told)
    if code in (0, 5):
        told = {"table": line["table"], "as_ofs": line["as_ofs"]} if runs else describe_run(line)
        pipes.report_asset_materialization(metadata=told, data_version=line.get("run_id"), asset_key="predictions")


if __name__ == "__main__":
    with open_dagster_pipes() as pipes:
        ended, line = run_process(sys.argv[1:])
        message = read_message(ended, line)
        report = report_suite if sys.argv[1] == "gate" else report_predictions
        report(pipes, ended, line, message)
        days = {run["as_of"][:10]: describe_run(run) for run in line.get("runs", [])}
        pipes.report_custom_message({"exit_code": ended, "message": message, "days": days})
