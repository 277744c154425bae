"""What the verbs print, with values that a terminal, a markup or an encoding would stumble over."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import structlog
import yaml

from sparkscore.cli import main
from sparkscore.cli.verb_output import log_to_stderr
from sparkscore.monitor.screen import people_screen
from sparkscore.monitor.visible import visible_text
from tests.monitor.hostile import RAW, VALUES
from tests.world import AS_OF, SOURCE, World, source_rows

LEFT_BEHIND = {
    "spark.databricks.delta.write.txnAppId": "nightly",
    "spark.databricks.delta.write.txnVersion": "7",
    "spark.databricks.delta.commitInfo.userMetadata": "the caller's",
    "spark.databricks.delta.properties.defaults.enableDeletionVectors": "true",
    "spark.databricks.delta.properties.defaults.columnMapping.mode": "name",
    "spark.databricks.delta.properties.defaults.appendOnly": "true",
}
"""Settings that a spark-submit may carry and that no write of ours may follow."""


def suite_file(folder: Path, *, severity: str = "critical") -> Path:
    """A rule that carriers break, and one about values that are markup."""
    rules = [
        {
            "type": "expect_column_values_to_match_regex",
            "kwargs": {"column": "carrier", "regex": "^[a-z]+[/b]$"},
            "severity": severity,
        },
        {
            "type": "expect_column_values_to_not_be_in_set",
            "kwargs": {"column": "carrier", "value_set": ["[/y]"]},
            "severity": severity,
        },
    ]
    file = folder / "suite.json"
    file.write_text(json.dumps({"name": "carriers", "expectations": rules}))
    return file


@pytest.fixture
def job(world: World) -> World:
    """A source whose carriers are hostile, and a gate that warns about them."""
    carriers = [VALUES[i % len(VALUES)].replace("\ud800", "") for i in range(60)]
    world.write_source(source_rows().set_column(1, SOURCE.field("carrier"), pa.array(carriers)))
    return world


def config_of(world: World, **groups: Any) -> str:
    file = world.home / "job.yaml"
    file.write_text(yaml.safe_dump(json.loads(world.settings(**groups).model_dump_json(exclude_none=True))))
    return str(file)


def call(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, Mapping[str, Any], str]:
    """Exit code, result and stderr of one command; stdout holds one line of ASCII, stderr nothing that steers."""
    capfd.readouterr()
    code = main.run_verb(words[0], words[1:])
    shown = capfd.readouterr()
    assert shown.out.isascii()
    assert len(shown.out.splitlines()) == 1, shown.out
    assert not RAW & set(shown.err)
    return code, json.loads(shown.out), shown.err


def test_gate_check_shows_a_rule_that_is_markup_elsewhere(job: World, capfd: pytest.CaptureFixture[str]) -> None:
    suite = suite_file(job.home)
    code, result, said = call(capfd, "gate", "check", "flights", "--suite", str(suite), "--config", config_of(job))
    assert (code, result["error"]["class"]) == (3, "GateFailed")
    assert "^[a-z]+[/b]$" in "".join(said.split())
    code, _, _ = call(capfd, "gate", "suggest", "flights", "--config", config_of(job))
    assert code == 0


def test_every_verb_shows_hostile_values_as_text(job: World, capfd: pytest.CaptureFixture[str]) -> None:
    config = config_of(
        job,
        gate={"input": str(suite_file(job.home, severity="warning"))},
        sla={"rows_per_second": 1e9},
        monitor={"report": True},
    )
    flags = ("--config", config)
    code, result, said = call(capfd, "score", *flags, "--as-of", AS_OF)
    assert (code, result["status"], result["rows_scored"]) == (0, "published", 60)
    assert "^[a-z]+[/b]$" in " ".join(result["warnings"])
    assert "[/y]" in " ".join(result["warnings"])
    assert "^[a-z]+[/b]$" in said
    code, _, said = call(capfd, "score", *flags, "--as-of", AS_OF, "--sample", "28")
    assert code == 0
    words = " ".join(said.split())
    for value in VALUES[:-1]:
        assert " ".join(visible_text(value.replace("\ud800", "")).split()) in words, value
    for verb in (("runs",), ("rejects",), ("maintain", "--dry-run"), ("report", "--job"), ("check_sla",)):
        code, _, said = call(capfd, *verb, *flags)
        assert code in (0, 5), verb
        assert said
    code, result, said = call(capfd, "rollback", *flags, "--as-of", AS_OF, "--to", "[/y]\x1b[2J")
    assert (code, result["error"]["class"]) == (2, "ConfigError")
    assert "[/y]\\x1b[2J" in said


class Broken(io.StringIO):
    """Standard error with nobody behind it."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self) -> None:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_run_whose_stderr_is_broken_is_published_and_ends_with_zero(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_of(world)
    monkeypatch.setattr(sys, "stderr", Broken())
    assert main.run_verb("score", ["--config", config, "--as-of", AS_OF]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "published"


def fake(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """A verb that has published and then shows what it may."""

    def verb(_: object) -> str:
        log = structlog.get_logger("sparkscore")
        for value in VALUES:
            people_screen().print(value)
            log.warning(value, value=value, several=(value,))
        return line

    monkeypatch.setitem(main.VERBS, "score", replace(main.VERBS["score"], execute=verb))


LINE = json.dumps({"schema": 1, "told": VALUES, "a line": "one\u2028two", "share": float("nan")}, ensure_ascii=False)


def test_the_result_is_one_line_of_strict_json_whatever_it_tells(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fake(monkeypatch, LINE)
    file = tmp_path / "result.json"
    code, result, said = call(capfd, "score", "--as-of", AS_OF, "--result", str(file))
    assert code == 0
    assert result["told"] == [value.replace("\ud800", "\\ud800") for value in VALUES]
    assert (result["a line"], result["share"]) == ("one\u2028two", None)
    assert file.read_text().splitlines() == [json.dumps(result)]
    assert "[warning  ] [/y]" in said
    assert "value=[/y]" in said


def test_a_line_of_the_log_is_one_line_and_no_secret_and_no_control(capfd: pytest.CaptureFixture[str]) -> None:
    log_to_stderr()
    capfd.readouterr()
    structlog.get_logger("sparkscore").info("a\nb", why="c\n12:00:00 [info] published", who="\x1b[2J", url="s3://k:v@x")
    (line,) = capfd.readouterr().err.splitlines()
    assert "a\\nb" in line
    assert "n12:00:00 [info] published" in line
    assert "\\x1b[2J" in line
    assert "s3://***@x" in line


def test_a_result_file_that_is_full_by_the_end_changes_no_exit_code(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fake(monkeypatch, LINE)
    monkeypatch.setattr(main, "create_result_file", lambda _: Path("/dev/full"))
    code, _, said = call(capfd, "score", "--as-of", AS_OF)
    assert code == 0
    assert "the result was not written to /dev/full" in said


def test_stack_traces_and_errors_show_what_they_quote_as_text(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def verb(_: object) -> str:
        raise RuntimeError("[/y] \x1b[2J\u202e :smile: \ud800 %s {x}")

    monkeypatch.setitem(main.VERBS, "score", replace(main.VERBS["score"], execute=verb))
    code, result, said = call(capfd, "score", "--as-of", AS_OF, "--debug")
    shown = "[/y] \\x1b[2J\\u202e :smile: \\ud800 %s {x}"
    assert code == 1
    assert "Traceback" in said
    assert f"sparkscore: RuntimeError: {shown}" in said
    assert result["error"]["message"] == "[/y] \x1b[2J\u202e :smile: \\ud800 %s {x}"


def test_help_shows_a_percent_sign_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    main.run_console(["score", "--help"])
    assert "%%" not in "".join(capfd.readouterr())


CHILD = """
import sys, structlog
from dataclasses import replace
from sparkscore.cli import main
from sparkscore.monitor.screen import people_screen
from tests.monitor.hostile import VALUES
def verb(_):
    for value in VALUES:
        people_screen().print(value)
        structlog.get_logger("sparkscore").warning(value, value=value)
        print(value)
    return '{"schema": 1, "told": "\\u00e9"}'
main.VERBS["score"] = replace(main.VERBS["score"], execute=verb)
main.main("score", ["--as-of", "2013-12-31"])
"""


@pytest.mark.parametrize(
    ("redirected", "told"),
    [
        ("2>&-", True),
        ("2>/dev/full", True),
        ("2> >(exec true)", True),
        ("<&- 2>&-", True),
        (">/dev/full", False),
        (">&-", False),
        (">&- 2>&- <&-", False),
    ],
)
def test_what_is_printed_to_nobody_ends_no_process(redirected: str, told: bool) -> None:
    environ = os.environ | {
        "PYTHONIOENCODING": "ascii:strict",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    }
    command = f'"$0" -c "$1" {redirected}'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, CHILD],
        cwd=Path(__file__).parents[1],
        env=environ,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout == b'{"schema": 1, "told": "\\u00e9"}\n') == told


def test_a_run_that_spark_submit_configures_for_others_publishes_all_the_same_with_nobody_to_tell(world: World) -> None:
    """Settings of Delta in the SparkContext's conf, a closed stderr and an encoding without letters, at once."""
    confs = " ".join(f'--conf "{name}={value}"' for name, value in LEFT_BEHIND.items())
    environ = os.environ | {
        "PYSPARK_SUBMIT_ARGS": f"{confs} {os.environ['PYSPARK_SUBMIT_ARGS']}",
        "PYTHONIOENCODING": "ascii:strict",
    }
    words = ["score", "--config", config_of(world), "--as-of", AS_OF]
    script = "import sys; from sparkscore.cli.main import main; main(sys.argv[1], sys.argv[2:])"
    done = subprocess.run(
        ["bash", "-c", '"$0" -c "$@" 2>&-', sys.executable, script, *words],
        cwd=Path(__file__).parents[1],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["rows_scored"] == 60
    assert world.events() == ["started", "staged", "published"]
    for name in ("predictions", "predictions_runs"):
        detail = world.spark.sql(f"DESCRIBE DETAIL delta.`{world.path(name)}`").collect()[0]
        assert (detail["minReaderVersion"], detail["minWriterVersion"]) == (1, 2)
        assert "delta.appendOnly" not in detail["properties"]
    assert len(world.predictions()) == 60
