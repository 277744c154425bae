"""The shared entry point: flags, result line, exit codes, what a person sees."""

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
import yaml
from py4j.protocol import Py4JNetworkError

import sparkscore
from sparkscore.cli import main
from sparkscore.errors import ConfigError
from tests.world import AS_OF, SOURCE, World, source_rows

JOBS = Path(__file__).resolve().parents[2] / "jobs"


@pytest.fixture
def config(world: World) -> str:
    """The config file of the world's job."""
    return config_of(world)


def config_of(world: World) -> str:
    """Written after the runs that a test begins with."""
    file = world.home / "job.yaml"
    file.write_text(yaml.safe_dump(json.loads(world.settings().model_dump_json(exclude_none=True))))
    return str(file)


def call(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, Mapping[str, Any], str]:
    """Exit code, result and stderr of one command."""
    capfd.readouterr()
    code = main.run_verb(words[0], words[1:])
    shown = capfd.readouterr()
    assert len(shown.out.splitlines()) == 1, shown.out
    return code, json.loads(shown.out), shown.err


def test_verbs_are_the_jobs() -> None:
    assert sorted(main.VERBS) == sorted(file.stem for file in JOBS.glob("*.py"))


def test_a_job_is_a_page_of_at_most_thirty_lines_that_names_its_verb() -> None:
    for file in JOBS.glob("*.py"):
        text = file.read_text()
        assert len(text.splitlines()) <= 30
        assert f'main("{file.stem}")' in text


def test_score_publishes_and_prints_one_line_of_json(
    world: World, config: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code, result, said = call(capfd, "score", "--config", config, "--as-of", AS_OF)
    assert (code, result["status"], result["rows_scored"]) == (0, "published", 60)
    assert "published 60 predictions" in said
    code, result, said = call(capfd, "score", "--config", config, "--as-of", AS_OF)
    assert (code, result["status"]) == (0, "already_published")
    assert "nothing done" in said


def test_success_returns_instead_of_exiting(world: World, config: str) -> None:
    main.main("score", ["--config", config, "--as-of", AS_OF])
    main.run_console(["runs", "--config", config])


def test_a_failure_exits_with_the_errors_code(world: World, config: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main("score", ["--config", config, "--as-of", AS_OF, "--source.table", "nowhere"])
    assert caught.value.code == 2


def test_the_result_also_goes_to_a_file_when_the_job_fails(
    config: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "deep" / "result.json"
    code, result, said = call(
        capfd, "score", "--config", config, "--as-of", AS_OF, "--model.uri", "models:/late@x", "--result", str(file)
    )
    assert (code, result["status"], result["error"]["class"], result["error"]["retryable"]) == (
        4,
        "failed",
        "ModelNotFound",
        False,
    )
    assert json.loads(file.read_text()) == result
    assert "Traceback" not in said


@pytest.mark.parametrize("flag", [("--result", "{file}"), ("--result={file}",)])
def test_even_wrong_flags_leave_their_result_in_the_file(
    flag: tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "result.json"
    code, result, _ = call(capfd, "score", "--no-such-flag", *(word.format(file=file) for word in flag))
    assert code == 2
    assert json.loads(file.read_text()) == result


def test_a_result_file_that_cannot_be_written_is_told_and_the_line_still_printed(
    config: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code, result, said = call(capfd, "score", "--config", config, "--as-of", AS_OF, "--result", "/proc/no/result.json")
    assert (code, result["status"]) == (2, "failed")
    assert "/proc/no/result.json" in said


def test_debug_shows_the_stack_trace(config: str, capfd: pytest.CaptureFixture[str]) -> None:
    _, _, said = call(capfd, "score", "--config", config, "--as-of", AS_OF, "--source.table", "nowhere", "--debug")
    assert "Traceback" in said


def test_a_bug_is_exit_code_one_with_a_hint(
    config: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> str:
        raise KeyError("a bug")

    monkeypatch.setitem(main.VERBS, "score", replace(main.VERBS["score"], execute=broken))
    code, result, said = call(capfd, "score", "--config", config, "--as-of", AS_OF)
    assert (code, result["error"]["class"]) == (1, "KeyError")
    assert "--debug" in said
    assert "Traceback" not in said


def test_a_jvm_that_is_gone_is_exit_code_75_whatever_the_verb(
    config: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> str:
        raise Py4JNetworkError("Answer from Java side is empty")

    monkeypatch.setitem(main.VERBS, "gate", replace(main.VERBS["gate"], execute=broken))
    code, result, said = call(capfd, "gate", "--config", config)
    assert (code, result["exit_code"], result["error"]["class"]) == (75, 75, "SessionLost")
    assert "run the same command again" in said


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--as-of", AS_OF), "no --config"),
        (("--config", "{config}"), "--as-of"),
        (("--config", "{config}", "--as-of", "{{{{ ds }}}}"), "template"),
        (("--config", "{config}", "--as-of", AS_OF, "--sourec.table", "x"), "--sourec.table"),
        (("--config", "{config}", "--as-of", AS_OF, "--source.tab", "x"), "--source.tab"),
        (("--config", "{config}", "--as-of", AS_OF, "--scoring.batch_rows", "zero"), "batch_rows"),
        (("--config", "{config}", "--as-of", AS_OF, "--dry-run", "--sample", "3"), "--sample together with --dry-run"),
        (("--config", "{config}.yml", "--as-of", AS_OF), "did you mean job.yaml"),
    ],
)
def test_wrong_flags_are_errors_of_the_config(
    config: str, flags: tuple[str, ...], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code, result, shown = call(capfd, "score", *(flag.format(config=config) for flag in flags))
    assert (code, result["error"]["class"]) == (2, "ConfigError")
    assert said in shown


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--as-of", AS_OF, "--as-of=2014-01-01"), f"--as-of is given twice: {AS_OF} and 2014-01-01"),
        (("--as-of", AS_OF, "--as-of", AS_OF), f"--as-of is given twice: {AS_OF} and {AS_OF}"),
        (("--output.threshold=0.5", "--output.threshold", "0.4"), "--output.threshold is given twice: 0.5 and 0.4"),
        (("--home", "/y", "--home", "/x"), "--home is given twice: /y and /x"),
        (("--sample", "5", "--sample", "0"), "--sample is given twice: 5 and 0"),
        (("--result", "{home}/a", "--result={home}/b"), "--result is given twice: {home}/a and {home}/b"),
        (("--source.keys", "[id]", "--source.keys", "[id]"), "--source.keys is given twice: [id] and [id]"),
        (("--source.where", "[{{column: c, value: 7, value: 8}}]"), "source.where.0.value stands twice in line 1"),
    ],
)
def test_a_flag_given_twice_is_refused_with_both_values(
    config: str, flags: tuple[str, ...], said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = [flag.format(home=tmp_path) for flag in flags]
    as_of = () if "--as-of" in flags else ("--as-of", AS_OF)
    code, result, shown = call(capfd, "score", "--config", config, *as_of, *given)
    assert (code, result["error"]["class"]) == (2, "ConfigError")
    assert said.format(home=tmp_path) in result["error"]["message"]
    assert said.format(home=tmp_path) in shown


@pytest.mark.parametrize("flag", ["--monitor.webhook", "--source.where"])
def test_values_of_a_flag_given_twice_that_may_be_secret_are_not_shown(
    config: str, flag: str, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("--config", config, "--as-of", AS_OF, flag, "hidden-1", flag, "hidden-2")
    code, result, shown = call(capfd, "score", *words)
    assert (code, f"{flag} is given twice" in shown) == (2, True)
    assert "hidden" not in shown + json.dumps(result)


def test_config_is_given_as_often_as_there_are_files(
    config: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    above = tmp_path / "above.yaml"
    above.write_text("source: {table: nowhere}")
    code, _, shown = call(capfd, "score", "--config", config, "--config", str(above), "--as-of", AS_OF)
    assert (code, "nowhere" in shown) == (2, True)


def test_a_second_gate_in_a_config_is_refused_before_spark_starts(
    config: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = Path(config)
    file.write_text("gate: {input: strict.json}\n" + file.read_text())
    code, result, shown = call(capfd, "score", "--config", config, "--as-of", AS_OF)
    assert (code, result["error"]["class"], "gate stands twice: in lines 1 and " in shown) == (2, "ConfigError", True)


def test_a_filter_that_yaml_changes_is_refused_with_the_quoted_form(
    world: World, config: str, capfd: pytest.CaptureFixture[str]
) -> None:
    where = "[{column: carrier, value: no}]"
    code, result, shown = call(capfd, "score", "--config", config, "--as-of", AS_OF, "--source.where", where)
    assert (code, result["error"]["class"]) == (2, "ConfigError")
    assert "the filter carrier = False (bool): YAML reads no as that" in shown
    assert 'write "no", in quotes' in shown
    assert not Path(world.path("predictions")).exists()


def test_a_mistyped_variable_is_an_error(
    config: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKSCORE_HOEM", "/x")
    code, _, said = call(capfd, "score", "--config", config, "--as-of", AS_OF)
    assert code == 2
    assert "SPARKSCORE_HOME" in said


def test_a_dry_run_shows_the_plan_and_leaves_the_tables_as_they_were(
    world: World, config: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    measured = ("--monitor.metrics", str(tmp_path / "metrics"))
    code, result, said = call(capfd, "score", "--config", config, "--as-of", AS_OF, "--dry-run", *measured)
    assert (code, result["status"], result["model"]["version"]) == (0, "dry_run", "1")
    assert "publish revision 1, attempt 1" in said
    assert world.version() == world.version("predictions_runs") == -1
    call(capfd, "score", "--config", config, "--as-of", AS_OF)
    _, _, said = call(capfd, "score", "--config", config, "--as-of", AS_OF, "--dry-run", *measured)
    assert "nothing: this as_of is already published" in said
    assert not (tmp_path / "metrics").exists()


def test_a_sample_shows_rows_and_leaves_the_tables_as_they_were(
    world: World, config: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code, result, said = call(capfd, "score", "--config", config, "--as-of", AS_OF, "--sample", "4")
    assert (code, result["rows_read"], result["rows_scored"]) == (0, 4, 4)
    assert len([line for line in said.splitlines() if "0." in line and ("AA" in line or "UA" in line)]) == 4
    assert world.version() == world.version("predictions_runs") == -1


def test_a_sample_beyond_the_bound_is_refused(config: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, _, said = call(capfd, "score", "--config", config, "--as-of", AS_OF, "--sample", "10001")
    assert code == 2
    assert "10,000" in said


def test_runs_lists_attempts_and_shows_one_run(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    done, config = world.begin_with(), config_of(world)
    code, result, said = call(capfd, "runs", "--config", config)
    assert (code, [event["event"] for event in result["events"]]) == (0, ["published"])
    assert result["events"][0]["as_of"] == "2013-12-31T00:00:00Z"
    assert str(done.run_id)[:12] in said
    code, result, said = call(capfd, "runs", "show", str(done.run_id)[:12], "--config", config)
    assert (code, [event["event"] for event in result["events"]]) == (0, ["started", "staged", "published"])


def test_runs_without_any_run_is_an_empty_list(config: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(capfd, "runs", "--config", config)[:2] == (0, {"schema": 1, "job": "late-flights", "events": []})


@pytest.mark.parametrize("words", [("show",), ("hide", "12345678"), ("show", "1234"), ("show", "ffffffffff")])
def test_a_run_that_is_not_there_is_an_error(
    config: str, words: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(capfd, "runs", *words, "--config", config)[0] == ConfigError.exit_code


def test_maintain_says_what_it_would_do_then_does_it_once(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.begin_with()
    config = config_of(world)
    words = ("maintain", "--config", config, "--output.retention_days", "30")
    code, planned, said = call(capfd, *words, "--dry-run")
    assert (code, planned["schema"], planned["status"], planned["as_of_expired"]) == (0, 1, "dry_run", 1)
    assert "1 as_of before" in said
    code, done, _ = call(capfd, *words)
    assert (code, done["job"], done["status"], done["predictions_expired"]) == (0, "late-flights", "maintained", 60)
    assert call(capfd, *words)[1]["status"] == "nothing_to_do"


def test_maintain_of_a_table_of_another_job_fails_with_its_own_result_line(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.begin_with()
    config = config_of(world)
    code, result, _ = call(capfd, "maintain", "--config", config, "--job", "other")
    assert (code, result["status"], result["error"]["class"]) == (2, "failed", "ForeignTable")
    assert result["stages_removed"] == 0


def test_migrate_says_what_it_would_do_then_does_it_once(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.begin_with()
    config = config_of(world)
    drop = ("migrate", "--config", config, "--drop-column", "carrier")
    code, refused, _ = call(capfd, *drop)
    assert (code, refused["status"], refused["tables"], refused["error"]["class"]) == (2, "failed", [], "ConfigError")
    words = (*drop, "--source.passthrough", "[]")
    code, planned, said = call(capfd, *words, "--dry-run")
    assert (code, planned["schema"], planned["status"]) == (0, 1, "dry_run")
    assert "drops carrier with its values" in said
    code, done, _ = call(capfd, *words)
    assert (code, done["status"], done["tables"][0]["dropped"]) == (0, "migrated", ["carrier"])
    code, again, said = call(capfd, *words)
    assert (code, again["status"], again["warnings"]) == (
        0,
        "nothing_to_do",
        ["predictions has no column carrier: nothing to drop"],
    )


@pytest.mark.parametrize("word", ["prediction", "=double", "prediction="])
def test_a_wider_type_without_its_column_is_refused(config: str, word: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, result, _ = call(capfd, "migrate", "--config", config, "--widen", word)
    assert (code, result["error"]["class"]) == (2, "ConfigError")
    assert "--widen prediction=double" in result["error"]["message"]


def test_a_rollback_says_what_readers_see_and_prints_the_result(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.begin_with()
    world.begin_with(replace=True)
    flags = ("--config", config_of(world), "--as-of", AS_OF)
    code, result, said = call(capfd, "rollback", *flags, "--dry-run")
    assert (code, result["status"]) == (0, "dry_run")
    assert "the rows of revision 1" in said
    code, result, said = call(capfd, "rollback", *flags, "--to", "1")
    assert (code, result["status"], result["revision"], result["rows_scored"]) == (0, "published", 3, 60)
    assert "the rows of revision 1" in said
    assert "published 60 predictions" in said
    code, result, said = call(capfd, "rollback", *flags, "--to", "1")
    assert (code, result["status"]) == (0, "already_published")
    assert "nothing done" in said


def test_a_rollback_without_an_earlier_run_is_an_error_that_lists_what_there_is(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    done = world.begin_with()
    flags = ("--config", config_of(world), "--as-of", AS_OF)
    code, _, said = call(capfd, "rollback", *flags)
    assert code == ConfigError.exit_code
    assert f"1 (run {str(done.run_id)[:12]})" in said


def test_rejects_are_listed_and_a_retry_prints_a_result(
    world: World, config: str, capfd: pytest.CaptureFixture[str]
) -> None:
    extra = pa.table({"id": [None], "carrier": ["AA"], "x1": [1.0], "x2": [1.0]}, schema=SOURCE)
    world.write_source(pa.concat_tables([source_rows(20), extra]))
    _, done, _ = call(capfd, "score", "--config", config, "--as-of", AS_OF)
    code, result, said = call(capfd, "rejects", "--config", config)
    assert (code, result["rejects"]) == (
        0,
        [{"as_of": "2013-12-31T00:00:00Z", "run_id": done["run_id"], "code": "null_key", "error": None, "rows": 1}],
    )
    assert f"{done['run_id'][:12]} null_key" in " ".join(said.split())
    code, result, said = call(capfd, "rejects", "retry", done["run_id"][:12], "--config", config)
    assert (code, result["status"], result["rows_rejected"]) == (0, "nothing_to_score", 1)
    assert "no rejected row could be scored" in said


def test_rejects_without_any_is_an_empty_list(config: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(capfd, "rejects", "--config", config)[:2] == (0, {"schema": 1, "job": "late-flights", "rejects": []})


@pytest.mark.parametrize("words", [("retry",), ("show", "12345678"), ("retry", "1234"), ("retry", "ffffffffff")])
def test_rejects_of_a_run_that_is_not_there_are_an_error(
    config: str, words: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(capfd, "rejects", *words, "--config", config)[0] == ConfigError.exit_code


def test_the_help_of_rejects_says_what_a_retry_is_not_for(capfd: pytest.CaptureFixture[str]) -> None:
    main.run_console(["rejects", "--help"])
    assert "score --replace" in "".join(capfd.readouterr())


@pytest.mark.parametrize("verb", main.VERBS)
def test_help_has_examples_and_every_setting(verb: str, capfd: pytest.CaptureFixture[str]) -> None:
    main.run_console([verb, "--help"])
    shown = capfd.readouterr()
    assert "examples:" in shown.out + shown.err
    assert "--source.table" in shown.out + shown.err


def test_gates_of_a_table_need_no_config(world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    suite, flags = tmp_path / "suite.json", ("--home", str(world.home))
    code, result, said = call(capfd, "gate", "suggest", "flights", "--suite", str(suite), *flags)
    assert (code, result["job"]) == (0, "")
    assert result["suite"] == json.loads(suite.read_text())
    assert f"rules in {suite}" in said
    rule = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "id", "max_value": 50}}
    suite.write_text(json.dumps({"name": "ids", "expectations": [rule]}))
    keys = ("--source.keys", "[id]")
    code, result, said = call(capfd, "gate", "--suite", str(suite), "check", "flights", *flags, *keys)
    assert (code, result["error"]["class"], "id=51" in said) == (3, "GateFailed", True)
    code, _, said = call(capfd, "gate", "check", "flights", "--suite", str(suite), *flags)
    assert (code, "id=51" in said) == (3, False)


def test_the_console_without_a_known_verb_tells_the_verbs(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main.run_console(["scoer"])
    assert caught.value.code == 2
    shown = capfd.readouterr()
    assert (shown.out, "score" in shown.err) == ("", True)
    main.run_console(["--help"])
    shown = capfd.readouterr()
    assert shown.err == ""
    assert all(verb in shown.out for verb in main.VERBS)


def test_the_console_tells_its_version_on_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    main.run_console(["--version"])
    assert capfd.readouterr() == (f"sparkscore {sparkscore.__version__}\n", "")


def test_help_whose_reader_has_ended_ends_with_zero() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        words = [sys.executable, "-m", "sparkscore", "score", "--help"]
        done = subprocess.run(words, stdout=gone, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_module_is_the_console() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sparkscore", "scoer"], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: sparkscore <verb>" in done.stderr
