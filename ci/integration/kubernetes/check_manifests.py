"""The manifests of conf/orchestration/kubernetes: their schemas, and what their containers run."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cronjob_commands import MANIFESTS, load_job, read_command
from scheduled_job import ROOT, WORK, ScheduledJob, require, running, say, wait_for

PYTHON = Path(os.environ["SPARKSCORE_PYTHON"])
VERSIONS = ("1.31", "1.34", "1.37")
DAY = datetime.now(UTC).replace(hour=6, minute=0, second=0, microsecond=0) - timedelta(days=1)
AS_OF = f"{DAY:%Y-%m-%d}"
JOB_NAME = f"flight-delay-{int(DAY.timestamp()) // 60}"


def validate(file: Path, kubernetes: str) -> "subprocess.CompletedProcess[str]":
    """Kubernetes' own schemas, and nothing that they do not name."""
    program = str(Path(sys.executable).with_name("kubernetes-validate"))
    command = [program, "--strict", "--no-warn", "-k", kubernetes, str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check_schemas() -> None:
    """Each manifest of Kubernetes' own kinds, and ones with a typo."""
    import yaml

    files = [MANIFESTS / name for name in ("cronjob.yaml", "access.yaml", "config.yaml")]
    kinds: list[str] = []
    for kubernetes in VERSIONS:
        for file in files:
            done = validate(file, kubernetes)
            require(done.returncode == 0, done)
    for file in files:
        kinds += [one["kind"] for one in yaml.safe_load_all(file.read_text(encoding="utf-8"))]
    say(
        f"schemas: {', '.join(kinds)} by kubernetes-validate {version('kubernetes-validate')}, of {', '.join(VERSIONS)}"
    )
    text = files[0].read_text(encoding="utf-8")
    typos = {
        "podFailurePolicy": "podFailurePolice",
        "startingDeadlineSeconds": "startDeadlineSeconds",
        "[75]": "[seventy-five]",
    }
    for right, wrong in typos.items():
        file = WORK / "typo.yaml"
        file.write_text(text.replace(right, wrong))
        done = validate(file, VERSIONS[-1])
        require(done.returncode != 0, f"{wrong} passed")
    say(f"a typo is refused: {', '.join(typos.values())}")


def is_tried_again(job: Mapping[str, Any], code: int) -> bool:
    """What the job controller makes of a container's exit code, by podFailurePolicy."""
    for rule in job["podFailurePolicy"]["rules"]:
        codes = rule.get("onExitCodes")
        if codes and (code in codes["values"]) == (codes["operator"] == "In"):
            return rule["action"] != "FailJob"
    return True


def find_delta_package() -> str:
    """The name of Delta's jars, which the image has."""
    lines = (ROOT / "conf" / "spark" / "cluster.conf").read_text(encoding="utf-8").splitlines()
    return next(line.split()[1] for line in lines if line.startswith("spark.jars.packages"))


def start_pod(job: ScheduledJob, component: str, **environ: str) -> AbstractContextManager["subprocess.Popen[bytes]"]:
    """The container's command as a process: this checkout in place of the image, this machine in place of executors."""
    words = read_command(component, config=job.config, message_file=str(WORK / "termination-log"))
    # what the image brings: Spark, Delta's jars, the environment
    words = [word.replace("/opt/spark/bin/spark-submit", str(PYTHON.with_name("spark-submit"))) for word in words]
    words = [word.replace("spark.jars.packages=", f"spark.jars.packages={find_delta_package()}") for word in words]
    (WORK / "termination-log").unlink(missing_ok=True)
    image = {"PYSPARK_PYTHON": str(PYTHON), "PYSPARK_DRIVER_PYTHON": str(PYTHON)}
    given = os.environ | image | {"JOB_NAME": JOB_NAME, "POD_NAME": "pod", "POD_IP": "127.0.0.1", **environ}
    return running(words, given, WORK / "pods.log")


def run_pod(job: ScheduledJob, component: str, **environ: str) -> int:
    """The exit code of a pod that nothing happens to."""
    with start_pod(job, component, **environ) as pod:
        wait_for("the end of a pod", lambda: pod.poll() is not None, seconds=600)
        return int(pod.returncode)


def check_pods(job: ScheduledJob) -> None:
    """What happens to pods, and what their exit codes mean for the policy."""
    score = load_job("score")
    code = run_pod(job, "score", AS_OF="{{ ds }}")
    told = (WORK / "termination-log").read_text(encoding="utf-8")
    require(code == 2 and "template" in told and not is_tried_again(score, code), (code, told))
    say("unfilled template: AS_OF={{ ds }} ends with 2, which podFailurePolicy does not try again; the pod says why")

    code = run_pod(job, "late")
    require(code == 5 and not is_tried_again(load_job("late"), code), code)
    say("late: the second CronJob ends with 5, since no run has started")

    job.hold()
    with start_pod(job, "score") as pod:
        wait_for("the model", job.is_reached, seconds=400)
        pod.terminate()
        wait_for("the end of the pod", lambda: pod.poll() is not None, seconds=120)
        code = int(pod.returncode)
    seen, events = job.show(AS_OF)
    require(code in (143, -15) and not seen and events[0] == "started", (code, seen, events))
    require(not job.find_processes(), job.find_processes())
    say(f"killed: SIGTERM, as activeDeadlineSeconds sends it: {code}; nothing is visible ({', '.join(events)})")

    job.block_exports()
    job.release()
    with start_pod(job, "score") as one, start_pod(job, "score") as other:
        wait_for("the ends of both pods", lambda: None not in (one.poll(), other.poll()), seconds=600)
        codes = sorted((int(one.returncode), int(other.returncode)))
    require(codes == [75, 75] and is_tried_again(score, 75), codes)
    say("started twice, without concurrencyPolicy: both end with 75 here (an export fails), which is tried again")
    job.allow_exports()
    code = run_pod(job, "score")
    require(code == 0, code)
    events = job.require_once(AS_OF)
    say(f"run again: 0; rows once, 60 of them, by one publication ({', '.join(events)}); {JOB_NAME} is of {AS_OF}")


def main() -> None:
    """All of it."""
    check_schemas()
    check_pods(ScheduledJob())


if __name__ == "__main__":
    main()
