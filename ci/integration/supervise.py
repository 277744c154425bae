"""Runs one ci/integration/NAME/run.sh and stops all that it has started; keeps build/integration/results.json.

ci/integration.sh calls it, from the root of the repository:

    python ci/integration/supervise.py run NAME --limit SECONDS
    python ci/integration/supervise.py note NAME REASON
    python ci/integration/supervise.py table|list NAME...
"""

import argparse
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

FOLDERS = Path("ci/integration")
BUILD = Path("build/integration").absolute()
RESULTS = BUILD / "results.json"
SKIPPED = 77
PATIENCE = 20
"""Seconds that a process has to end by itself after SIGTERM."""
_DEATH_SIGNAL, _SUBREAPER = 1, 36


def list_versions(name: str) -> dict[str, str]:
    """Versions of what requirements.in asks for, as locked; and of what run.sh has written into its file "versions"."""
    versions = {}
    asked, lock = FOLDERS / name / "requirements.in", FOLDERS / name / "requirements.lock"
    if asked.exists() and lock.exists():
        wanted = set(re.findall(r"^([A-Za-z0-9._-]+)", asked.read_text(encoding="utf-8"), flags=re.MULTILINE))
        locked = dict(
            re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", lock.read_text("utf-8"), flags=re.MULTILINE)
        )
        versions = {package: locked[package] for package in sorted(wanted) if package in locked}
    written = BUILD / "work" / name / "versions"
    if written.exists():
        lines = (line.split(maxsplit=1) for line in written.read_text(encoding="utf-8").splitlines())
        versions |= {line[0]: line[1] for line in lines if len(line) == 2}
    return versions


def load_results() -> dict[str, Any]:
    """What was run so far, by name."""
    try:
        return {one["name"]: one for one in json.loads(RESULTS.read_text(encoding="utf-8"))}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def keep_result(name: str, *, code: int, seconds: float, remark: str, checks: list[str]) -> None:
    """One more result, in place of an earlier one of this name."""
    outcome = {0: "passed", SKIPPED: "skipped"}.get(code, "failed")
    result = {
        "name": name,
        "versions": list_versions(name),
        "seconds": round(seconds, 1),
        "outcome": outcome,
        "exit_code": code,
        "remark": remark,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "checks": checks,
    }
    results = load_results() | {name: result}
    new = RESULTS.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps([results[one] for one in sorted(results)], indent=1) + "\n", encoding="utf-8")
    new.replace(RESULTS)


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Rows under one another."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_results(names: list[str]) -> None:
    """What came of these."""
    results = load_results()
    rows = [("name", "seconds", "outcome", "versions")]
    for name in names:
        if name in results:
            one = results[name]
            outcome = one["outcome"] + (f": {one['remark']}" if one["remark"] else f", {len(one['checks'])} checks")
            rows.append((name, f"{one['seconds']:.0f}", outcome, _show_versions(one["versions"])))
    print_table(rows)


def _show_versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{package} {version}" for package, version in versions.items())


def find_descendants() -> list[int]:
    """Processes below this one: since it adopts orphans, all that were started from here and still live."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:2]
        except (OSError, ValueError):  # it has ended
            continue
        if state != "Z":
            parents.setdefault(int(parent), []).append(int(stat.parent.name))
    found, queue = [], [os.getpid()]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += children
    return found


def _send(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return


def stop_descendants() -> int:
    """Ends what is left, by its process ids, and says how many that were."""
    left = find_descendants()
    deadline = time.monotonic() + PATIENCE
    _send(left, signal.SIGTERM)
    while find_descendants() and time.monotonic() < deadline:
        time.sleep(0.1)
        _reap()
    while rest := find_descendants():
        _send(rest, signal.SIGKILL)
        time.sleep(0.05)
        _reap()
    return len(left)


class _InterruptedError(Exception):
    """Somebody wants the run to end."""


def _raise_interrupted(number: int, frame: object) -> NoReturn:
    raise _InterruptedError(signal.Signals(number).name)


def _adopt_orphans() -> None:
    """Linux alone: elsewhere only run.sh itself is stopped, which stops what it has started."""
    if sys.platform == "linux":
        process = ctypes.CDLL(None, use_errno=True)
        process.prctl(_SUBREAPER, 1, 0, 0, 0)
        process.prctl(_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)


def _follow(process: "subprocess.Popen[bytes]", out: Path, limit: float) -> str:
    """Copies what the run says to stdout until it ends; says why where that is not by itself."""
    deadline = time.monotonic() + limit
    with out.open("rb") as said:
        while True:
            code = process.poll()
            sys.stdout.write(said.read().decode("utf-8", errors="replace"))
            sys.stdout.flush()
            if code is not None:
                return ""
            if time.monotonic() > deadline:
                return f"no end after {limit:g} s"
            time.sleep(0.2)


def run_folder(name: str, limit: float) -> int:
    """Runs ci/integration/NAME/run.sh; 0 where it passed or was skipped."""
    work, out, log = BUILD / "work" / name, BUILD / f"{name}.out", BUILD / f"{name}.log"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    _adopt_orphans()
    started = time.monotonic()
    code, remark, process = 1, "", None
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _raise_interrupted)
    try:
        with out.open("wb") as stdout, log.open("wb") as stderr:
            process = subprocess.Popen(
                ["bash", str(FOLDERS / name / "run.sh")],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=os.environ | {"INTEGRATION_WORK": str(work)},
                start_new_session=True,
            )
        remark = _follow(process, out, limit)
        if not remark:
            code = int(process.returncode)
    except _InterruptedError as told:
        remark = f"interrupted ({told})"
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if process and process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
    if left := stop_descendants():
        print(f"stopped what {FOLDERS / name}/run.sh had left: {left} processes")
    checks = [line for line in out.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    if not remark and code:
        remark = (checks[-1] if checks else "") if code == SKIPPED else f"exit code {code}"
    keep_result(name, code=code, seconds=time.monotonic() - started, remark=remark, checks=checks)
    if code not in (0, SKIPPED):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        print(f"-- the end of {log.relative_to(Path.cwd())}", *lines[-40:], sep="\n")
    return 0 if code in (0, SKIPPED) else 1


def main() -> int:
    """What ci/integration.sh asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["run", "note", "table", "list"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--limit", type=float, default=1800)
    options = parser.parse_args()
    match options.command:
        case "run":
            return run_folder(options.names[0], options.limit)
        case "note":
            keep_result(options.names[0], code=1, seconds=0, remark=options.names[1], checks=[])
        case "table":
            print_results(options.names)
        case "list":
            print_table(
                [("name", "versions"), *((name, _show_versions(list_versions(name))) for name in options.names)]
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
