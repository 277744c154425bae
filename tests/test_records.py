"""Identity: what makes a run the same run."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sparkscore.records import Pins, RuleVerdict, Run, RunReport, Verdict, json_digest, to_utc_text

AS_OF = datetime(2013, 12, 31, tzinfo=UTC)
PINS = Pins("table-id", 3, "flight-delay", "1", "abc", "def")


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none(), max_size=6))
def test_a_digest_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    assert json_digest(value) == json_digest(dict(reversed(value.items())))


def test_every_pin_is_part_of_the_run_and_of_the_stage() -> None:
    for field in fields(Pins):
        change: dict[str, Any] = {field.name: 4 if field.name == "source_version" else "other"}
        other = replace(PINS, **change)
        assert other.run_id("job", AS_OF, 1) != PINS.run_id("job", AS_OF, 1)
        assert other.stage_id(AS_OF) != PINS.stage_id(AS_OF)


def test_a_revision_is_a_new_run_over_the_same_stage() -> None:
    first = Run("job", AS_OF, 1, 1, PINS, "flights", "m-1")
    second = replace(first, revision=2)
    assert first.run_id != second.run_id
    assert first.stage_id == second.stage_id


def test_attempts_of_a_run_share_its_identity() -> None:
    first = Run("job", AS_OF, 1, 1, PINS, "flights", "m-1")
    assert replace(first, attempt=2).run_id == first.run_id


def test_as_of_is_a_moment_not_its_spelling() -> None:
    elsewhere = AS_OF.astimezone(timezone(timedelta(hours=9)))
    assert to_utc_text(elsewhere) == "2013-12-31T00:00:00Z"
    assert PINS.run_id("job", elsewhere, 1) == PINS.run_id("job", AS_OF, 1)


def test_differences_name_both_sides() -> None:
    assert PINS.differences(replace(PINS, model_version="2")) == ["model_version: 1 published, 2 asked for"]


def test_the_report_is_one_line_of_json() -> None:
    line = RunReport("job", "2013-12-31T00:00:00Z", "published", rows_scored=3, seconds={"total": 1.5}).to_json()
    assert "\n" not in line
    assert json.loads(line)["rows_scored"] == 3
    assert json.loads(line)["schema"] == 1


def test_a_warning_rule_warns_and_does_not_fail() -> None:
    broken = RuleVerdict("r", False, "seen", "wanted", "warning")
    verdict = Verdict("input", "suite", (broken, replace(broken, severity="critical"), replace(broken, passed=True)))
    assert verdict.warning_rules == (broken,)
    assert [rule.severity for rule in verdict.failed_rules] == ["critical"]
