"""What the checks of all schedulers need: the small job, what can be done to it, and lines that say what was shown.

The standard library alone: the Python of a scheduler's environment imports it.
"""

import http
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WORK = Path(os.environ["INTEGRATION_WORK"]).resolve()
ROWS = 60


def say(shown: str) -> None:
    """One line about what was shown."""
    sys.stdout.write(shown + "\n")
    sys.stdout.flush()


def require(holds: object, otherwise: object) -> None:
    """End the checks where something does not hold."""
    if not holds:
        sys.exit(f"FAILED: {otherwise}")


def wait_for(what: str, is_so: Callable[[], Any], *, seconds: float = 300, every: float = 0.3) -> Any:
    """The first value of `is_so` that counts as true; ends the checks where none comes in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = is_so()
        if value:
            return value
        time.sleep(every)
    return sys.exit(f"FAILED: {what} did not happen in {seconds:.0f} s")


def find_free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask_json(url: str, body: Mapping[str, Any] | None = None) -> Any:
    """What a service answers: a POST where there is a body. A busy one (503) is asked again, as its clients do."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=content, headers={"Content-Type": "application/json"})
    until = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > until:
                raise
        time.sleep(1)


@contextmanager
def running(command: Sequence[str | Path], environ: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process for the block; afterwards it is asked to end, and killed with its group where it does not."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=ROOT,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class ScheduledJob:
    """The job of small_job.py in a folder of its own."""

    def __init__(self) -> None:
        self.folder = WORK / "job"
        self.folder.mkdir(parents=True)
        self._call("make")

    @property
    def config(self) -> str:
        """The file of its settings."""
        return str(self.folder / "job.yaml")

    def _call(self, command: str) -> str:
        program = [os.environ["SPARKSCORE_PYTHON"], ROOT / "ci" / "integration" / "small_job.py", command, self.folder]
        return subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True).stdout

    def show(self, as_of: str) -> tuple[dict[str, int], list[str]]:
        """Rows, keys, runs and publications of an as_of, and its run events in their order."""
        shown = json.loads(self._call("show"))
        return shown["as_ofs"].get(as_of, {}), [event for at, event in shown["events"] if at == as_of]

    def require_once(self, as_of: str) -> list[str]:
        """Each key has one row, of one run, and one publication; the run events."""
        seen, events = self.show(as_of)
        wanted = {"rows": ROWS, "keys": ROWS, "runs": 1, "publications": 1}
        require(seen == wanted, f"{as_of}: {seen} instead of {wanted}; {events}")
        return events

    def hold(self) -> None:
        """From now on, the model waits."""
        (self.folder / "reached").unlink(missing_ok=True)
        (self.folder / "hold").touch()

    def is_reached(self) -> bool:
        """Whether a model waits."""
        return (self.folder / "reached").exists()

    def release(self) -> None:
        """The model goes on."""
        (self.folder / "hold").unlink(missing_ok=True)

    def block_exports(self) -> None:
        """From now on, runs are published and then end with 75."""
        (self.folder / "exports").touch()

    def allow_exports(self) -> None:
        """The next attempt ends with 0."""
        (self.folder / "exports").unlink(missing_ok=True)

    def find_processes(self) -> list[int]:
        """The processes that have this job's config in their command line: of verbs, not of schedulers."""
        found = []
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = place.read_bytes().split(b"\0")
            except OSError:
                continue
            if self.config.encode() in words and any(word.endswith(b"/score.py") for word in words):
                found.append(int(place.parent.name))
        return found
