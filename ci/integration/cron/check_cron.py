"""The crontab of conf/orchestration/cron: checked and run by cron itself, within a mount namespace."""

import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from scheduled_job import ROOT, WORK, ScheduledJob, require, running, say, wait_for

SPOOL = Path("/var/spool/cron/crontabs")
TODAY = f"{datetime.now(UTC):%Y-%m-%d}"


def mount_over(place: Path, *, kind: str, source: Path | None = None) -> None:
    """Hide what the machine has there, for the processes of this namespace."""
    if place.exists():
        words = ["mount", "--bind", str(source), str(place)] if source else ["mount", "-t", kind, kind, str(place)]
        subprocess.run(words, check=True)


def isolate_cron() -> None:
    """No crontab but ours."""
    mount_over(Path("/var/spool"), kind="tmpfs")
    mount_over(Path("/run"), kind="tmpfs")
    empty = WORK / "empty"
    empty.touch()
    for folder in ("cron.d", "cron.hourly", "cron.daily", "cron.weekly", "cron.monthly"):
        mount_over(Path("/etc", folder), kind="tmpfs")
    mount_over(Path("/etc/crontab"), kind="file", source=empty)
    if not Path("/etc/pam.d/cron").exists():
        rules = WORK / "pam.d"
        shutil.copytree("/etc/pam.d", rules)
        (rules / "cron").write_text(
            "auth sufficient pam_permit.so\naccount sufficient pam_permit.so\nsession sufficient pam_permit.so\n"
        )
        mount_over(Path("/etc/pam.d"), kind="folder", source=rules)
    SPOOL.mkdir(parents=True)
    SPOOL.chmod(0o1730)


def adapt_crontab(job: ScheduledJob) -> str:
    """The example, with this checkout and this job in it."""
    text = (ROOT / "conf" / "orchestration" / "cron" / "crontab").read_text(encoding="utf-8")
    text = text.replace("/opt/sparkscore/", f"{ROOT}/").replace("/etc/sparkscore/flight-delay.yaml", job.config)
    return text.replace("/run/lock/flight-delay.lock", str(WORK / "lock"))


def find_line(text: str, verb: str) -> str:
    """What cron hands to the shell of the line that runs a verb."""
    (line,) = (line for line in text.splitlines() if f" {verb} " in line and not line.startswith("#"))
    return line.split(maxsplit=5)[5].replace(r"\%", "%")


def run_line(line: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """A line by the crontab's shell, with as little environment as cron gives it."""
    kept = {name: os.environ[name] for name in ("SPARKSCORE_PYTHON", "JAVA_HOME") if name in os.environ}
    given = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/root"), **kept, **environ}
    return subprocess.run(
        ["/bin/bash", "-c", line], env=given, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def check_text(text: str) -> None:
    """crontab's own check, of the example and of ones with an error."""

    def check(content: str) -> "subprocess.CompletedProcess[str]":
        file = WORK / "crontab"
        file.write_text(content)
        return subprocess.run(["crontab", "-n", str(file)], capture_output=True, text=True, check=False)

    example = (ROOT / "conf" / "orchestration" / "cron" / "crontab").read_text(encoding="utf-8")
    require(check(example).returncode == 0, check(example))
    refused = check(text.replace("0 6 * * *", "0 6 * *", 1).replace("0 9 * * *", "0 25 * * *"))
    require(refused.returncode != 0, refused)
    say(f"crontab -n takes the example, and refuses an hour 25: {refused.stderr.strip().splitlines()[0][-80:]!r}")


def find_timeout(job: ScheduledJob) -> int:
    """The process of timeout(1) around the verb."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if words[0] == b"timeout" and job.config.encode() in words:
            return int(place.parent.name)
    return 0


def check_cron(job: ScheduledJob, text: str) -> None:
    """cron starts the line; a second start is refused; a kill; another start."""
    line = find_line(text, "score")
    job.hold()
    kept = "".join(f"{name}={os.environ[name]}\n" for name in ("SPARKSCORE_PYTHON", "JAVA_HOME") if name in os.environ)
    minutely = "".join(f"{one}\n" for one in text.splitlines() if " check_sla " not in one and " maintain " not in one)
    minutely = kept + minutely.replace("0 6 * * *", "* * * * *").replace("MAILTO=data-team@example.org", 'MAILTO=""')
    (SPOOL / "root").write_text(minutely)
    (SPOOL / "root").chmod(0o600)
    with running(["cron", "-f", "-L", "15"], os.environ, WORK / "cron.log"):
        wait_for("the model of a run that cron started", job.is_reached, seconds=400)
        (SPOOL / "root").unlink()
        say(f"cron started the line by itself, in its own bare environment; as_of is {TODAY}")
        second = run_line(line)
        require((second.returncode, second.stdout) == (0, "flight-delay: another run is active\n"), second)
        say(f"started twice: the second one says so and ends: {second.stdout.strip()!r}")
        os.kill(find_timeout(job), signal.SIGTERM)
        wait_for("the end of the run", lambda: not job.find_processes(), seconds=120)
    seen, events = job.show(TODAY)
    require(not seen and events[0] == "started", (seen, events))
    say(f"killed: SIGTERM, as by the limit of run-verb.sh; nothing is visible ({', '.join(events)})")

    job.block_exports()
    job.release()
    unlocked = line[line.index(f"{ROOT}") : line.index(" || {")]
    command = ["/bin/bash", "-c", unlocked.removeprefix(str(WORK / "lock")).strip()]
    environ = os.environ | {"JOB_RETRY_SECONDS": "2 2 2 2 2 2 2 2 2 2"}
    with running(command, environ, WORK / "one.log") as one, running(command, environ, WORK / "other.log") as other:
        wait_for("an export that failed", lambda: "exported" in job.show(TODAY)[1], seconds=600)
        job.allow_exports()
        codes = [one.wait(600), other.wait(600)]
    require(codes == [0, 0], codes)
    events = job.require_once(TODAY)
    say(
        f"run again, twice at once and without flock: both end with 0, after retries on 75; rows once, "
        f"60 of them, by one publication ({', '.join(events)})"
    )


def main() -> None:
    """All of it."""
    job = ScheduledJob()
    isolate_cron()
    text = adapt_crontab(job)
    check_text(text)
    line = find_line(text, "score")
    unfilled = run_line(line.replace("$(date -u +%F)", "{{ ds }}"), JOB_RETRY_SECONDS="300 300")
    require("template" in unfilled.stdout and unfilled.stdout.endswith("ended with exit code 2\n"), unfilled)
    said = unfilled.stdout.splitlines()[0][:100]
    say(f"unfilled template: ends with 2, is not tried again, and cron would mail what it says: {said!r}")
    late = run_line(find_line(text, "check_sla"))
    require(late.returncode == 5 and "no run of the job has started yet" in late.stdout, late)
    say("late: the line with check_sla ends with 5, and cron would mail: no run of the job has started yet")
    check_cron(job, text)


if __name__ == "__main__":
    main()
