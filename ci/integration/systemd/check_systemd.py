"""The units of conf/orchestration/systemd: verified, and run by a manager of this namespace."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from scheduled_job import ROOT, WORK, ScheduledJob, require, running, say, wait_for

UNITS = ROOT / "conf" / "orchestration" / "systemd"
OURS = WORK / "units"
TODAY = f"{datetime.now(UTC):%Y-%m-%d}"
SCORE = "sparkscore-score@job.service"
UNFILLED = "sparkscore-score@unfilled.service"
LATE = "sparkscore-late@job.service"


def ask_manager(*words: str) -> str:
    """What systemctl says."""
    return subprocess.run(["systemctl", "--user", *words], capture_output=True, text=True, check=False).stdout.strip()


def show_unit(unit: str) -> dict[str, str]:
    """What the manager knows of a unit."""
    names = ("ActiveState", "Result", "ExecMainStatus", "NRestarts", "MainPID", "InvocationID")
    lines = ask_manager("show", unit, *(f"--property={name}" for name in names)).splitlines()
    return dict(line.split("=", 1) for line in lines)


def verify_unit(name: str, text: str) -> str:
    """What systemd-analyze finds in a unit; nothing where it is right."""
    folder = WORK / "verify"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    instance = name.replace("@", "@job")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(folder / instance)], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def adapt_units(job: ScheduledJob) -> None:
    """The examples, with this checkout and this job in them, and less patience."""
    OURS.mkdir()
    for file in sorted(UNITS.iterdir()):
        text = file.read_text(encoding="utf-8")
        text = text.replace("/opt/sparkscore", str(ROOT)).replace("/etc/sparkscore/", f"{job.folder}/")
        text = text.replace("User=sparkscore\n", "").replace("RestartSec=5min", "RestartSec=2s")
        said = verify_unit(file.name, text)
        require(not said, said)
        if file.suffix == ".timer":
            text = text.replace("OnCalendar=*-*-* 06:00:00 UTC", "OnActiveSec=1s").replace("Persistent=true", "")
        (OURS / file.name).write_text(text)
    (job.folder / "unfilled.yaml").write_text(Path(job.config).read_text(encoding="utf-8"))
    (OURS / f"{UNFILLED}.d").mkdir()
    (OURS / f"{UNFILLED}.d" / "as_of.conf").write_text('[Service]\nEnvironment="AS_OF={{ ds }}"\n')
    score = (OURS / "sparkscore-score@.service").read_text(encoding="utf-8")
    typo = verify_unit("typo@.service", score.replace("RestartForceExitStatus", "RestartForceExitCode"))
    require("Unknown key" in typo and "RestartForceExitCode" in typo, typo)
    found = typo.strip().rpartition(": ")[2]
    say(f"systemd-analyze verify finds nothing in four units, and a typo in a fifth: {found!r}")


def check_units(job: ScheduledJob) -> None:
    """All of it, by a manager that is up."""
    ask_manager("start", UNFILLED)
    wait_for("the end of the unfilled one", lambda: show_unit(UNFILLED)["ActiveState"] == "failed")
    ended = show_unit(UNFILLED)
    require((ended["ExecMainStatus"], ended["NRestarts"]) == ("2", "0"), ended)
    say("unfilled template: AS_OF={{ ds }} fails the unit with 2; it is not started again")

    ask_manager("start", LATE)
    ended = show_unit(LATE)
    require((ended["ActiveState"], ended["ExecMainStatus"]) == ("failed", "5"), ended)
    say("late: sparkscore-late fails with 5, since no run has started")

    job.hold()
    ask_manager("start", "sparkscore-score@job.timer")
    wait_for("the model of the run that the timer started", job.is_reached, seconds=400)
    first = show_unit(SCORE)
    ask_manager("start", SCORE)
    second = show_unit(SCORE)
    require(first["InvocationID"] == second["InvocationID"] and first["MainPID"] == second["MainPID"], (first, second))
    say(f"started twice: the timer has started the service; another start is the same run (process {first['MainPID']})")
    ask_manager("stop", SCORE)
    ended = show_unit(SCORE)
    require((ended["ActiveState"], ended["Result"], ended["ExecMainStatus"]) == ("inactive", "success", "143"), ended)
    require(not job.find_processes(), job.find_processes())
    seen, events = job.show(TODAY)
    require(not seen and events[0] == "started", (seen, events))
    say(
        f"killed: systemctl stop while it scored ends it with 143, no failure; nothing is visible ({', '.join(events)})"
    )

    job.block_exports()
    job.release()
    ask_manager("start", SCORE)
    wait_for("a restart", lambda: show_unit(SCORE)["NRestarts"] != "0", seconds=600)
    job.allow_exports()
    wait_for("the end of the service", lambda: show_unit(SCORE)["ActiveState"] == "inactive", seconds=600)
    ended = show_unit(SCORE)
    require((ended["Result"], ended["ExecMainStatus"]) == ("success", "0"), ended)
    events = job.require_once(TODAY)
    say(
        f"run again: 75 was started again ({ended['NRestarts']} times), then 0; rows once, 60 of them, by one "
        f"publication ({', '.join(events)})"
    )


def main() -> None:
    """A manager for the checks."""
    job = ScheduledJob()
    adapt_units(job)
    os.environ["XDG_RUNTIME_DIR"] = "/run/user/0"
    environ = os.environ | {"SYSTEMD_UNIT_PATH": f"{OURS}:"}
    with running(["/lib/systemd/systemd", "--user", "--unit=basic.target"], environ, WORK / "manager.log"):
        wait_for("the manager", lambda: ask_manager("is-system-running") in ("running", "degraded"), seconds=60)
        check_units(job)


if __name__ == "__main__":
    main()
