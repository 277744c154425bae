"""`gate suggest` and `gate check`: for people, over a table as it is now."""

import json
from pathlib import Path

import pytest

from sparkscore.cli import main
from sparkscore.errors import ConfigError, TableNotFound
from sparkscore.pipelines.gates import check_table_with_suite, suggest_suite_for_table
from tests.world import World, source_rows


def suggested(world: World) -> str:
    file = Path(world.path("suggested.json"))
    file.write_text(json.dumps(suggest_suite_for_table(world.spark, world.settings(), table="flights")))
    return str(file)


def test_a_suggested_suite_is_met_by_the_table_it_was_suggested_for(world: World) -> None:
    verdict, lines = check_table_with_suite(world.spark, world.settings(), table="flights", suite=suggested(world))
    assert verdict.failed_rules == verdict.warning_rules == ()
    assert len(lines) > len(source_rows().schema)


def test_a_check_names_keys_of_rows_that_fail(world: World) -> None:
    suite = suggested(world)
    world.write_source(source_rows(8).set_column(1, "carrier", [["AA"] * 6 + ["ZZ"] * 2]))
    _, lines = check_table_with_suite(world.spark, world.settings(), table="flights", suite=suite)
    (line,) = [one for one in lines if one.verdict.rule == "expect_column_values_to_be_in_set(carrier)"]
    assert (line.share, set(line.examples)) == (0.25, {"id=6", "id=7"})


def test_a_suite_for_another_table_is_an_error_of_the_config(world: World) -> None:
    suite = suggested(world)
    world.write_source(source_rows(8).rename_columns(["number", "airline", "x1", "x2"]), name="others")
    with pytest.raises(ConfigError, match="judges columns that do not exist"):
        check_table_with_suite(world.spark, world.settings(), table="others", suite=suite)


def test_a_table_that_is_not_there_is_told(world: World) -> None:
    with pytest.raises(TableNotFound):
        suggest_suite_for_table(world.spark, world.settings(), table="nowhere")


def test_a_broken_critical_rule_ends_the_command_with_3_after_its_table(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, suite = tmp_path / "job.json", tmp_path / "suite.json"
    config.write_text(world.settings().model_dump_json(exclude_none=True))
    rule = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "id", "max_value": 50}}
    suite.write_text(json.dumps({"name": "ids", "expectations": [rule]}))
    code = main.run_verb("gate", ["check", "flights", "--config", str(config), "--suite", str(suite)])
    told = capsys.readouterr()
    assert code == 3
    assert json.loads(told.out.splitlines()[-1])["error"]["class"] == "GateFailed"
    assert "FAILED" in told.err
    assert "id=51" in told.err


def test_wrong_words_are_told_with_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run_verb("gate", ["check", "flights", "--job", "j"]) == 2
    assert "gate check <table> --suite FILE" in capsys.readouterr().err


def test_a_suite_that_cannot_be_written_is_an_error_of_the_config(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "job.json"
    config.write_text(world.settings().model_dump_json(exclude_none=True))
    assert main.run_verb("gate", ["suggest", "flights", "--config", str(config), "--suite", "/proc/no/suite.json"]) == 2
    assert "--suite /proc/no/suite.json" in capsys.readouterr().err


@pytest.mark.parametrize("spelled", ["carrier", "CARRIER"])
def test_values_of_sensitive_columns_are_in_no_suite_and_no_verdict(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], spelled: str
) -> None:
    world.write_source(source_rows(8).set_column(1, "carrier", [["Quaverley"] * 6 + ["Zz"] * 2]))
    suite = tmp_path / "suite.json"
    rule = {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "carrier", "value_set": ["Zz"]}}
    suite.write_text(json.dumps({"name": "carriers", "expectations": [rule]}))
    flags = ("--home", str(world.home), "--source.keys", "[carrier]", "--source.sensitive", f"[{spelled}]")
    shown = []
    for words in (("suggest", "flights"), ("check", "flights", "--suite", str(suite))):
        code = main.run_verb("gate", [*words, *flags])
        shown.append("".join(capsys.readouterr()))
        assert code == (3 if words[0] == "check" else 0), shown[-1]
    assert "Quaverley" not in "".join(shown)
    assert "carrier=***" in shown[1]
    main.run_verb("gate", ["suggest", "flights", *flags[:2]])
    assert "Quaverley" in capsys.readouterr().out  # the values are there to be shown


def test_a_sensitive_column_that_is_not_there_is_refused(world: World) -> None:
    settings = world.settings(source={"sensitive": ["carier"]})
    with pytest.raises(ConfigError, match=r"no sensitive column carier \(nearest: carrier\)"):
        suggest_suite_for_table(world.spark, settings, table="flights")
    world.write_source(source_rows(8).rename_columns(["id", "airline", "x1", "x2"]), name="others")
    assert suggest_suite_for_table(world.spark, settings, table="others")


def test_a_suite_is_suggested_for_files_as_they_are_before_anything_is_landed(world: World, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,carrier\n1,AA\n2,UA\n3")
    table = str(tmp_path / "a.csv")
    settings = world.settings(source={"table": table, "format": "csv", "passthrough": []})
    suite = suggest_suite_for_table(world.spark, settings, table=table)
    assert suite["notes"].startswith("Suggested from 2 rows of ")
    columns = {rule["kwargs"].get("column") for rule in suite["expectations"]}
    assert columns == {None, "id", "carrier"}
    assert not (world.home / "landing").exists()
