"""The examples in conf/orchestration: what schedulers read, and the scripts that they start."""

import ast
import configparser
import copy
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkscore.cli.main import VERBS
from sparkscore.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "conf" / "orchestration"
CRONTAB = (EXAMPLES / "cron" / "crontab").read_text(encoding="utf-8").splitlines()
CRON_LINES = [line for line in CRONTAB if re.match(r"[\d*]", line)]
UNITS = sorted((EXAMPLES / "systemd").iterdir())
TEXT, COUNT = {"type": "string"}, {"type": "integer", "minimum": 1}
TEXTS = {"type": "object", "additionalProperties": TEXT}


def make_object_schema(fields: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": [*required], "properties": dict(fields)}


SPARK_POD = {"cores": COUNT, "memory": TEXT}
SPARK_APPLICATION = make_object_schema(
    {
        "type": {"enum": ["Java", "Python", "Scala", "R"]},
        "pythonVersion": {"enum": ["2", "3"]},
        "mode": {"enum": ["cluster", "client"]},
        **dict.fromkeys(("sparkVersion", "image", "imagePullPolicy", "mainApplicationFile"), TEXT),
        "arguments": {"type": "array", "items": TEXT},
        "restartPolicy": make_object_schema({"type": {"enum": ["Never", "Always", "OnFailure"]}}),
        "timeToLiveSeconds": {"type": "integer"},
        "sparkConf": TEXTS,
        "driver": make_object_schema(
            {
                **SPARK_POD,
                "serviceAccount": TEXT,
                "configMaps": {
                    "type": "array",
                    "items": make_object_schema({"name": TEXT, "path": TEXT}, "name", "path"),
                },
            }
        ),
        "executor": make_object_schema({**SPARK_POD, "instances": COUNT}),
    },
    *("type", "sparkVersion", "mainApplicationFile", "driver", "executor"),
)
SPARK_SCHEMAS = {
    "SparkApplication": SPARK_APPLICATION,
    "ScheduledSparkApplication": make_object_schema(
        {
            "schedule": TEXT,
            "concurrencyPolicy": {"enum": ["Allow", "Forbid", "Replace"]},
            "successfulRunHistoryLimit": {"type": "integer"},
            "failedRunHistoryLimit": {"type": "integer"},
            "template": SPARK_APPLICATION,
        },
        *("schedule", "template"),
    ),
}
"""The fields that the examples use, as the types of the Spark operator's v1beta2 declare them: no package has them."""


def load_manifests(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((EXAMPLES / "kubernetes" / name).read_text(encoding="utf-8")))


def read_unit(file: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes="#", delimiters="=")
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(file.read_text(encoding="utf-8"))
    return parser


def find_spark_errors(manifest: Mapping[str, Any]) -> list[str]:
    """What the Spark operator's types do not allow in a manifest: the place and the reason."""
    jsonschema = pytest.importorskip("jsonschema")
    found = jsonschema.Draft202012Validator(SPARK_SCHEMAS[manifest["kind"]]).iter_errors(manifest["spec"])
    return sorted(f"{one.json_path}: {one.message}" for one in found)


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A folder like the repository, whose spark-submit.sh ends with the codes that the file `codes` lists."""
    target = tmp_path / "conf" / "orchestration" / "cron"
    target.mkdir(parents=True)
    shutil.copy(EXAMPLES / "cron" / "run-verb.sh", target)
    script = tmp_path / "spark-submit.sh"
    script.write_text(
        '#!/bin/sh\necho "$@" >>calls\nread -r code <codes\nsed -i 1d codes\necho "ended with $code"\nexit "$code"\n'
    )
    script.chmod(0o755)
    return (yield tmp_path)


def run_verb_script(checkout: Path, *codes: int) -> tuple[int, str, int]:
    """Exit code of run-verb.sh, what it printed, how often it has called spark-submit.sh."""
    (checkout / "codes").write_text("".join(f"{code}\n" for code in codes))
    done = subprocess.run(
        [checkout / "conf" / "orchestration" / "cron" / "run-verb.sh", "score", "--as-of", "2013-12-31"],
        env={**os.environ, "JOB_RETRY_SECONDS": "0 0 0"},
        capture_output=True,
        text=True,
        check=False,
    )
    calls = (checkout / "calls").read_text().splitlines()
    assert set(calls) == {"jobs/score.py --as-of 2013-12-31"}
    return done.returncode, done.stdout + done.stderr, len(calls)


@pytest.mark.parametrize("file", sorted(EXAMPLES.rglob("*.py")), ids=lambda file: f"{file.parent.name}/{file.name}")
def test_an_example_imports_nothing_of_the_project(file: Path) -> None:
    tree = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    modules = {one.module for one in tree if isinstance(one, ast.ImportFrom)}
    roots = {name.partition(".")[0] for name in modules if name}
    assert not roots & {"sparkscore", "pyspark", "delta", "mlflow"}


def test_no_example_gives_a_job_a_variable_that_it_would_take_for_a_setting() -> None:
    for file in EXAMPLES.rglob("*"):
        if file.is_file() and file.suffix != ".md":
            assert not re.search(r"\bSPARKSCORE_(?!PYTHON\b)[A-Z]", file.read_text(encoding="utf-8")), file


def test_every_line_of_the_crontab_runs_a_verb_by_the_script() -> None:
    assert CRON_LINES
    for line in CRON_LINES:
        verb = re.search(r"/run-verb\.sh (\w+) ", line)
        assert verb, line
        assert verb.group(1) in VERBS


def test_no_percent_sign_of_the_crontab_ends_its_line() -> None:
    assert not [line for line in CRON_LINES if re.search(r"(?<!\\)%", line)]


def test_the_scoring_line_of_the_crontab_takes_a_lock_and_does_not_wait_for_it() -> None:
    (line,) = (line for line in CRON_LINES if " score " in line)
    assert re.match(r"0 6 \* \* \* flock --nonblock --conflict-exit-code 99 \S+\.lock /", line)


def test_cron_s_script_tries_again_after_75_and_says_nothing_where_it_helped(checkout: Path) -> None:
    assert run_verb_script(checkout, 75, 75, 0) == (0, "", 3)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 143])
def test_cron_s_script_tries_no_other_code_again_and_says_why(checkout: Path, code: int) -> None:
    said = f"ended with {code}\nsparkscore score ended with exit code {code}\n"
    assert run_verb_script(checkout, code) == (code, said, 1)


def test_cron_s_script_gives_up_after_the_last_delay(checkout: Path) -> None:
    code, said, calls = run_verb_script(checkout, 75, 75, 75, 75)
    assert (code, calls, said.splitlines()[-1]) == (75, 4, "sparkscore score ended with exit code 75")


@pytest.mark.parametrize("file", [file for file in UNITS if file.suffix == ".timer"], ids=lambda file: file.name)
def test_a_timer_has_its_service_and_a_time_in_utc(file: Path) -> None:
    assert file.with_suffix(".service") in UNITS
    assert read_unit(file)["Timer"]["OnCalendar"].endswith(" UTC")


def test_the_scoring_unit_starts_again_after_75_alone() -> None:
    service = read_unit(EXAMPLES / "systemd" / "sparkscore-score@.service")["Service"]
    assert service["RestartForceExitStatus"] == "75"
    assert "Restart" not in service
    assert service["Type"] == "exec"  # systemd refuses it for oneshot
    assert service["SuccessExitStatus"] == "143"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_finds_nothing_in_the_units_and_a_typo_where_one_is(tmp_path: Path) -> None:
    for file in UNITS:
        text = file.read_text(encoding="utf-8").replace("/opt/sparkscore", str(ROOT)).replace("User=sparkscore\n", "")
        (tmp_path / file.name).write_text(text)
    score = (tmp_path / "sparkscore-score@.service").read_text(encoding="utf-8")
    (tmp_path / "typo@.service").write_text(score.replace("TimeoutStopSec", "TimoutStopSec"))

    def verify(*names: str) -> str:
        units = [str(tmp_path / name.replace("@", "@job")) for name in names]
        done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert verify(*(file.name for file in UNITS)) == ""
    assert "TimoutStopSec" in verify("typo@.service")


@pytest.mark.parametrize("manifest", load_manifests("cronjob.yaml"), ids=lambda one: one["metadata"]["name"])
def test_a_cron_job_tries_75_again_and_no_other_code(manifest: Mapping[str, Any]) -> None:
    job = manifest["spec"]["jobTemplate"]["spec"]
    pod = job["template"]["spec"]
    (rule,) = (rule for rule in job["podFailurePolicy"]["rules"] if "onExitCodes" in rule)
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"] == {"containerName": pod["containers"][0]["name"], "operator": "NotIn", "values": [75]}
    assert pod["restartPolicy"] == "Never"  # else Kubernetes refuses the policy
    assert manifest["spec"]["concurrencyPolicy"] == "Forbid"
    assert manifest["spec"]["startingDeadlineSeconds"] > 0
    assert job["activeDeadlineSeconds"] > 0


def run_container(folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    """The command of the scoring container, with a spark-submit that says what it was given."""
    script = folder / "spark-submit"
    script.write_text('#!/bin/sh\necho "$@"\n')
    script.chmod(0o755)
    container = load_manifests("cronjob.yaml")[0]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    kept = {"PATH": os.environ["PATH"], "POD_NAME": "pod", "POD_IP": "10.0.0.7", **environ}
    command = [*container["command"], *(word.replace("/opt/spark/bin/", "./") for word in container["args"])]
    return subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, check=False)


def test_the_as_of_of_a_pod_is_the_day_that_its_job_is_scheduled_for(tmp_path: Path) -> None:
    minutes = int(datetime(2013, 12, 31, 6, tzinfo=UTC).timestamp()) // 60
    said = run_container(tmp_path, JOB_NAME=f"flight-delay-{minutes}")
    assert "--as-of 2013-12-31 --result /dev/termination-log" in said.stdout
    assert "--conf spark.driver.host=10.0.0.7" in said.stdout


def test_a_pod_of_a_job_made_by_hand_takes_its_as_of_or_starts_nothing(tmp_path: Path) -> None:
    assert "--as-of 2013-12-30" in run_container(tmp_path, JOB_NAME="by-hand", AS_OF="2013-12-30").stdout
    refused = run_container(tmp_path, JOB_NAME="flight-delay-by-hand")
    assert (refused.stdout, refused.returncode != 0) == ("", True)


def test_the_config_in_the_config_map_is_one(tmp_path: Path) -> None:
    (manifest,) = load_manifests("config.yaml")
    for name, text in manifest["data"].items():
        (tmp_path / name).write_text(text)
        assert Settings.load(tmp_path / name, environ={}).sla.every_hours == 24


def read_container_words() -> Iterator[str]:
    """All words that the manifests' containers and applications run, and their images."""
    for manifest in load_manifests("cronjob.yaml"):
        container = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
        yield from (container["image"], *container["command"], *container.get("args", []))
    for manifest in load_manifests("spark-application.yaml"):
        spec = manifest["spec"].get("template", manifest["spec"])
        yield from (spec["image"], spec["mainApplicationFile"])


def test_what_the_manifests_start_is_in_the_image() -> None:
    text = (ROOT / "conf" / "docker" / "Dockerfile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (\S+) /opt/sparkscore/\1$", text, re.MULTILINE)
    words = " ".join(read_container_words()).split()
    files = [word.removeprefix("local:///opt/sparkscore/") for word in words]
    files = [file for file in files if not file.startswith("/") and (ROOT / file).is_file()]
    assert not [word for word in words if word.startswith("./")]
    assert {"jobs/score.py", "jobs/check_sla.py", "jobs/maintain.py", "conf/spark/cluster.conf"} == set(files)
    assert {file.partition("/")[0] for file in files} <= set(copied)
    images = {word for word in words if word.startswith("registry.")}
    assert len(images) == 1
    assert f"docker build -f conf/docker/Dockerfile -t {images.pop()} " in text
    assert words.count("spark.jars.packages=") == 2  # of both CronJobs: the jars are the image's


@pytest.mark.parametrize("manifest", load_manifests("spark-application.yaml"), ids=lambda one: one["kind"])
def test_a_spark_application_is_of_the_operators_types_and_has_no_retry_that_knows_no_exit_codes(
    manifest: dict[str, Any],
) -> None:
    assert find_spark_errors(manifest) == []
    spec = manifest["spec"].get("template", manifest["spec"])
    assert spec["restartPolicy"] == {"type": "Never"}
    assert (ROOT / spec["mainApplicationFile"].removeprefix("local:///opt/sparkscore/")).is_file()


WRONG_SPARK_FIELDS: Mapping[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a typo": (lambda spec: spec["driver"].update(servicAccount="a"), "'servicAccount' was unexpected"),
    "a number as text": (lambda spec: spec["executor"].update(instances="2"), "'2' is not of type 'integer'"),
    "a version as a number": (lambda spec: spec.update(sparkVersion=4.2), "4.2 is not of type 'string'"),
    "a word of another kind": (lambda spec: spec["restartPolicy"].update(type="never"), "'never' is not one of"),
    "a conf that is no text": (lambda spec: spec["sparkConf"].update({"spark.a": True}), "True is not of type"),
    "nothing to run": (lambda spec: spec.pop("mainApplicationFile"), "'mainApplicationFile' is a required"),
}


@pytest.mark.parametrize("wrong", WRONG_SPARK_FIELDS)
@pytest.mark.parametrize("manifest", load_manifests("spark-application.yaml"), ids=lambda one: one["kind"])
def test_a_spark_application_with_a_mistake_is_not_of_the_operators_types(manifest: dict[str, Any], wrong: str) -> None:
    make_mistake, reason = WRONG_SPARK_FIELDS[wrong]
    changed = copy.deepcopy(manifest)
    make_mistake(changed["spec"].get("template", changed["spec"]))
    (error,) = find_spark_errors(changed)
    assert reason in error


def test_a_spark_application_on_a_schedule_has_no_as_of() -> None:
    scheduled = [one for one in load_manifests("spark-application.yaml") if one["kind"].startswith("Scheduled")]
    assert not [one for one in scheduled if "--as-of" in one["spec"]["template"]["arguments"]]
