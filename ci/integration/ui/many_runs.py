"""How long pages of a job with 10,000 runs take: `python ci/integration/ui/many_runs.py FOLDER`.

Writes the table of run events, serves it as `sparkscore ui` does, and asks for each page five times. Ends with 1 where
the median of a page is above a second.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from tests.ui.homes import JOB, write_many_runs

RUNS, TIMES, LIMIT_S = 10_000, 5, 1.0
PAGES = (
    "/",
    "/runs",
    "/runs?page=200",
    f"/jobs/{JOB}",
    f"/jobs/{JOB}?state=published&from=2014-03-01&to=2014-03-31",
    f"/jobs/{JOB}?page=200",
    f"/jobs/{JOB}/runs/2014-06-01T00:00:00Z@1",
    f"/jobs/{JOB}/gates",
    f"/jobs/{JOB}/models",
    f"/jobs/{JOB}/tables",
    f"/jobs/{JOB}/events?page=700",
)


def ask(port: int, path: str) -> float:
    """Seconds until a page is there as a whole."""
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    began = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    took = time.perf_counter() - began
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}")
    return took


def main(folder: str) -> int:
    """Measure; the exit code."""
    home = write_many_runs(Path(folder), RUNS)
    code = "from sparkscore.cli.main import run_console; run_console()"
    command = [sys.executable, "-c", code, "ui", str(home), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = json.loads(process.stdout.readline())["port"]  # type: ignore[union-attr]
        first = ask(port, "/")
        medians = {path: statistics.median(ask(port, path) for _ in range(TIMES)) for path in PAGES}
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
    slowest = max(medians, key=lambda path: medians[path])
    load = os.getloadavg()[0]
    first_text = f"the first request after the start {first:.2f} s, at a load of {load:.1f}"
    told = f"the slowest of {len(PAGES)} pages takes {medians[slowest]:.2f} s ({slowest}), {first_text}"
    sys.stdout.write(f"{RUNS:,} runs: {told}\n")
    return 1 if medians[slowest] > LIMIT_S else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
