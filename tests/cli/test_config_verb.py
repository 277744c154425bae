"""`config` on the command line: result line, exit code, what people see."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from deltalake import write_deltalake

from sparkscore.cli import main
from tests.world import World, source_rows

JOB = "job: j\nsource: {table: t, keys: [id]}\nmodel: {uri: models:/m@c}\noutput: {table: p}\n"


@pytest.fixture
def job(tmp_path: Path) -> str:
    (tmp_path / "job.yaml").write_text(JOB)
    return str(tmp_path / "job.yaml")


def call(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, Mapping[str, Any], str]:
    capfd.readouterr()
    code = main.run_verb("config", words)
    shown = capfd.readouterr()
    assert len(shown.out.splitlines()) == 1
    return code, json.loads(shown.out), shown.err


def test_show_prints_a_table_and_a_line_with_every_origin(job: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, result, said = call(capfd, "show", "--config", job, "--changed", "--output.threshold", "0.5")
    assert code == 0
    assert [one["name"] for one in result["settings"]] == [
        *("job", "source.table", "source.keys", "model.uri", "output.table", "output.threshold"),
    ]
    assert f"{job}:2" in said
    assert result["settings"][-1]["origin"] == {"kind": "flag", "name": "--output.threshold", "line": None}


def test_show_with_json_says_nothing_to_people(job: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, result, said = call(capfd, "show", "--config", job, "--json")
    assert (code, said) == (0, "")
    assert len(result["settings"]) > 150


def test_show_masks_secrets(job: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKSCORE_MONITOR__WEBHOOK", "https://hooks.example.com/services/T0/B0/qwertzuiop")
    _, result, said = call(capfd, "show", "--config", job)
    assert "qwertzuiop" not in json.dumps(result) + said
    assert "SPARKSCORE_MONITOR__WEBHOOK" in said


def test_check_lists_all_faults_and_ends_with_two(job: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    overlay = tmp_path / "prod.yaml"
    overlay.write_text("drift: {psy: 1}\nscoring: {transport: fast}\n")
    code, result, said = call(capfd, "check", "--config", job, "--config", str(overlay))
    assert (code, result["exit_code"], result["status"]) == (2, 2, "failed")
    assert [one["setting"] for one in result["faults"]] == ["scoring.transport", "drift.psy"]
    assert f"{overlay}:1: unknown setting drift.psy (did you mean drift.psi?)" in said
    assert "2 faults" in said


def test_check_of_a_right_config_ends_with_zero(job: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(capfd, "check", "--config", job)[0] == 0


def test_the_repositorys_overlays_fit_the_quickstart_and_make_no_other_run(capfd: pytest.CaptureFixture[str]) -> None:
    conf = Path(__file__).resolve().parents[2] / "conf"
    for name in ("dev", "staging", "prod"):
        files = ("--config", str(conf / "quickstart.yaml"), "--config", str(conf / "env" / f"{name}.yaml"))
        code, result, _ = call(capfd, "check", *files)
        assert (code, result["warnings"]) == (0, [])


def test_new_writes_a_config_that_check_takes_and_never_over_a_file(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new.yaml"
    words = ("new", "--from-model", "models:/late@champion", "--table", "flights", "--to", str(file))
    place = ("--home", str(world.home), "--model.tracking_uri", world.registry.uri)
    code, result, said = call(capfd, *words, *place)
    assert (code, result["job"], result["file"]) == (0, "late", str(file))
    assert "look at: source.keys is a guess" in said
    assert call(capfd, "check", "--config", str(file))[0] == 0
    before = file.read_text()
    code, result, _ = call(capfd, *words, *place)
    assert (code, file.read_text()) == (2, before)
    assert list(tmp_path.glob(".*")) == []


def test_new_asks_a_person_for_keys_that_cannot_be_guessed(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return "a_id, b_id\n"

    write_deltalake(world.path("legs"), source_rows(5).rename_columns(["a_id", "b_id", "x1", "x2"]))
    monkeypatch.setattr("sys.stdin", Terminal())
    words = ("new", "--from-model", "models:/late@champion", "--table", "legs", "--to", str(tmp_path / "new.yaml"))
    code, result, said = call(capfd, *words, "--home", str(world.home), "--model.tracking_uri", world.registry.uri)
    assert (code, result["settings"]["source"]["keys"]) == (0, ["a_id", "b_id"])
    assert "several columns may be: a_id, b_id" in said


@pytest.mark.parametrize(
    "words",
    [
        ("show",),
        ("check",),
        ("new",),
        ("new", "--from-model", "models:/m@c"),
        ("new", "--from-model", "models:/m@c", "--table", "t", "--source.table", "u"),
        ("new", "--from-model", "models:/m@c", "--table", "t", "--output.threshold", "0.5"),
        ("--keys", "id", "show", "--output.table", "p"),
        ("--to", "s.json", "check", "--output.table", "p"),
        ("schema",),
    ],
)
def test_what_is_missing_or_said_twice_is_told(words: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    code, result, said = call(capfd, *words)
    assert (code, result["error"]["class"]) == (2, "ConfigError")
    assert "do:" in said


def test_a_name_of_a_job_that_is_none_leaves_no_file(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("new", "--from-model", "models:/late@champion", "--table", "flights", "--to", str(tmp_path / "new.yaml"))
    place = ("--home", str(world.home), "--model.tracking_uri", world.registry.uri)
    assert call(capfd, *words, *place, "--job", "../x")[0] == 2
    assert list(tmp_path.glob("*new.yaml*")) == []


def test_schema_writes_what_editors_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, _, _ = call(capfd, "schema", "--to", str(tmp_path / "s.json"))
    assert code == 0
    assert json.loads((tmp_path / "s.json").read_text())["properties"]["job"]["type"] == "string"
