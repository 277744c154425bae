"""Suites as they are read: every mistake is found before any Spark job."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sparkscore.errors import ConfigError
from sparkscore.gate.suite_loading import load_suite
from sparkscore.gate.suites import Expectation, Suite, check_suite_columns

BETWEEN = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "distance", "min_value": 1, "max_value": 5000},
}


def write_suite(folder: Path, content: object) -> str:
    """A suite file with the content, JSON unless it is text already."""
    path = folder / "suite.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def suite_content(*expectations: object) -> dict[str, Any]:
    """A suite's JSON."""
    return {"name": "flights", "expectations": list(expectations)}


def test_a_suite_is_read_as_plain_data(tmp_path: Path) -> None:
    not_null = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "a b"}, "severity": "warning"}
    written_by_gx = {
        **suite_content(BETWEEN, {**not_null, "id": None, "meta": {}, "notes": "why"}),
        "meta": {},
        "id": None,
    }
    suite = load_suite(write_suite(tmp_path, written_by_gx))
    assert suite.name == "flights"
    assert [one.rule for one in suite.expectations] == [
        "expect_column_values_to_be_between(distance)",
        "expect_column_values_to_not_be_null(a b)",
    ]
    assert [one.severity for one in suite.expectations] == ["critical", "warning"]
    assert suite.expectations[0].kwargs == BETWEEN["kwargs"]


@pytest.mark.parametrize("name", ["flights.json", "predictions.json"])
def test_the_suites_of_the_repository_are_right(name: str) -> None:
    assert load_suite(str(Path(__file__).parents[2] / "conf" / "expectations" / name)).expectations


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("", "is not JSON"),
        ('{"name": "x", "name": "y", "expectations": []}', "name stands twice in line 1"),
        (
            json.dumps(suite_content(BETWEEN), indent=1).replace('"min_value": 1,', '"min_value": 1,\n"min_value": 5,'),
            r"suite.json: expectations\.0\.kwargs\.min_value stands twice: in lines 8 and 9",
        ),
        ("[" * 200_000, "is not JSON: it is nested too deeply"),
        ('{"name": "x", "expectations": [NaN]}', "NaN is no JSON number"),
        ("[]", "is no suite"),
        ({}, "is no suite"),
        ({"name": "x", "expectations": []}, "at least one expectation"),
        ({"name": 1, "expectations": [BETWEEN]}, "is no suite"),
        ({"name": "x", "expectation": [BETWEEN]}, "expectation is not a field of the suite .*nearest: expectations"),
        (suite_content("expect"), "expectation 1 has no type and kwargs"),
        (
            suite_content(BETWEEN, {"expectation_type": BETWEEN["type"], "kwargs": {}}),
            "expectation 2 has no type and kwargs",
        ),
        (suite_content({"type": BETWEEN["type"]}), "expectation 1 has no type and kwargs"),
        (
            suite_content({**BETWEEN, "severty": "warning"}),
            "severty is not a field of .*expectation 1.*nearest: severity",
        ),
        (suite_content({**BETWEEN, "severity": "fatal"}), "severity fatal\n  expected: critical, warning, info"),
        (suite_content({**BETWEEN, "severity": ["critical"]}), r"severity \['critical'\]"),
        (
            suite_content({**BETWEEN, "type": "expect_column_values_to_be_betwen"}),
            "unknown expectation expect_column_values_to_be_betwen\n  expected: expect_column_values_to_be_between",
        ),
        (suite_content({**BETWEEN, "type": "qqq"}), "unknown expectation qqq\n  expected: an expectation of"),
        (
            suite_content({**BETWEEN, "kwargs": {"column": "a", "min_valu": 1}}),
            "unknown argument min_valu\n  expected: min_value",
        ),
        (
            suite_content({**BETWEEN, "kwargs": {"column": "a", "min_value": 1, "zz": 1}}),
            "unknown argument zz\n  expected: one of",
        ),
        (suite_content({**BETWEEN, "kwargs": {"column": "a"}}), "min_value and max_value cannot both be None"),
        (suite_content({**BETWEEN, "kwargs": {"min_value": 1}}), "column field required"),
        (suite_content({**BETWEEN, "kwargs": {"column": "a", "min_value": 1, "mostly": 2}}), "mostly"),
        (
            suite_content({**BETWEEN, "kwargs": {"column": "a", "min_value": {"$PARAMETER": "x"}}}),
            "min_value is a suite parameter",
        ),
        (
            suite_content({**BETWEEN, "kwargs": {"column": "a", "min_value": 1, "result_format": "COMPLETE"}}),
            "result_format is not for a gate\n.*never values of rows",
        ),
        (
            suite_content({**BETWEEN, "kwargs": {"column": "a", "min_value": 1, "row_condition": "reflect('x')"}}),
            "row_condition is not for a gate\n.*SQL",
        ),
        (
            suite_content(
                {"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": "SELECT * FROM {batch}"}}
            ),
            "unexpected_rows_expectation is not for a gate\n.*SQL",
        ),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_suite(write_suite(tmp_path, content))
    assert "suite.json" in caught.value.found
    assert caught.value.expected
    assert caught.value.do


def test_a_missing_file_is_named_with_its_neighbour(tmp_path: Path) -> None:
    write_suite(tmp_path, suite_content(BETWEEN))
    with pytest.raises(ConfigError, match=r"cannot read the suite .*suit\.json: No such file.*nearest: suite\.json"):
        load_suite(str(tmp_path / "suit.json"))
    with pytest.raises(ConfigError, match="cannot read the suite"):
        load_suite(str(tmp_path / "nowhere" / "suite.json"))
    with pytest.raises(ConfigError, match="cannot read the suite"):
        load_suite(str(tmp_path))


def test_a_column_that_is_not_there_is_found_before_any_job() -> None:
    expectations = (
        Expectation("expect_column_values_to_not_be_null", {"column": "Distance"}),
        Expectation("expect_column_pair_values_to_be_equal", {"column_A": "origin", "column_B": "dst"}),
        Expectation("expect_compound_columns_to_be_unique", {"column_list": ["origin", "carrier"]}),
    )
    with pytest.raises(ConfigError) as caught:
        check_suite_columns(Suite("flights", expectations), ["distance", "origin", "dest"])
    assert caught.value.found == (
        "the suite flights judges columns that do not exist: "
        "Distance in expect_column_values_to_not_be_null(Distance) (nearest: distance); "
        "dst in expect_column_pair_values_to_be_equal(origin, dst) (nearest: dest); "
        "carrier in expect_compound_columns_to_be_unique(origin, carrier)"
    )


def test_rules_about_columns_being_there_are_left_to_the_judge() -> None:
    expectations = (
        Expectation("expect_column_to_exist", {"column": "nope"}),
        Expectation("expect_table_columns_to_match_ordered_list", {"column_list": ["nope"]}),
        Expectation("expect_table_columns_to_match_set", {"column_set": ["nope"]}),
    )
    check_suite_columns(Suite("flights", expectations), ["distance"])


def test_importing_the_room_does_not_import_great_expectations() -> None:
    modules = "sparkscore.gate.verdicts, sparkscore.gate.stage_integrity"
    code = f"import sys, {modules}; print('great_expectations' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
