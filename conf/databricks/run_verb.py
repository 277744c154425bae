"""A task that runs a verb of sparkscore and fails only where a retry helps: `run_verb.py score --config … --as-of …`.

Databricks retries whatever fails. So an exit code that no retry changes is no failure of this task, but its task value
`exit_code`, and a later task fails with it. Exit code 75 is a failure, and so is lost compute.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

TRY_AGAIN = 75
MAX_MESSAGE = 2000
"""Characters of the message: a task value holds 48 KiB."""


def main(argv: list[str], task_values: Any) -> int:
    """Runs the verb; the exit code of the task: 0, or 75 where Databricks is to try again."""
    from sparkscore.cli.main import run_verb

    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        code = run_verb(argv[0], [*argv[1:], "--result", str(result)])
        message = _read_message(result)
    if code == TRY_AGAIN:
        return code
    task_values.set("exit_code", str(code))
    task_values.set("message", message)
    return 0


def _read_message(result: Path) -> str:
    try:
        error = json.loads(result.read_text(encoding="utf-8")).get("error") or {}
    except (OSError, ValueError):
        return ""
    return str(error.get("message", ""))[:MAX_MESSAGE]


if __name__ == "__main__":
    from databricks.sdk.runtime import dbutils

    ended = main(sys.argv[1:], dbutils.jobs.taskValues)
    if ended:
        sys.exit(ended)  # success returns: some launchers take any SystemExit for a failure
