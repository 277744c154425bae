"""Identity: what makes a run the same run."""

import json
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sparkscore.records import Pins, Postprocessing, RuleVerdict, Run, RunReport, Verdict, json_digest, to_utc_text

AS_OF = datetime(2013, 12, 31, tzinfo=UTC)
PINS = Pins("table-id", 3, "flight-delay", "1", "abc", "def")
RUN = Run("job", AS_OF, 1, 1, PINS, "flights", "m-1")


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none(), max_size=6))
def test_a_digest_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    assert json_digest(value) == json_digest(dict(reversed(value.items())))


def test_every_pin_is_part_of_the_run_and_of_the_stage() -> None:
    for field in fields(Pins):
        change: dict[str, Any] = {field.name: 4 if field.name == "source_version" else "other"}
        other = replace(PINS, **change)
        assert replace(RUN, pins=other).run_id != RUN.run_id
        assert other.stage_id(AS_OF) != PINS.stage_id(AS_OF)


def test_a_revision_is_a_new_run_over_the_same_stage() -> None:
    second = replace(RUN, revision=2)
    assert RUN.run_id != second.run_id
    assert RUN.stage_id == second.stage_id


def test_another_post_processing_is_another_run_over_the_same_stage() -> None:
    with_threshold, with_other = (replace(RUN, postprocessing=Postprocessing(value)) for value in (0.5, 0.4))
    assert len({RUN.run_id, with_threshold.run_id, with_other.run_id}) == 3
    assert RUN.stage_id == with_threshold.stage_id == with_other.stage_id


def test_a_run_without_post_processing_is_named_as_it_was_when_runs_had_none() -> None:
    assert RUN.run_id == json_digest(["job", to_utc_text(AS_OF), 1, asdict(PINS)])


def test_post_processing_comes_back_from_a_dict_without_what_only_newer_versions_know() -> None:
    assert Postprocessing.from_dict({**Postprocessing(0.5).to_dict(), "labels": ["a"]}) == Postprocessing(0.5)


def test_attempts_of_a_run_share_its_identity() -> None:
    assert replace(RUN, attempt=2).run_id == RUN.run_id


def test_as_of_is_a_moment_not_its_spelling() -> None:
    elsewhere = AS_OF.astimezone(timezone(timedelta(hours=9)))
    assert to_utc_text(elsewhere) == "2013-12-31T00:00:00Z"
    assert replace(RUN, as_of=elsewhere).run_id == RUN.run_id


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
