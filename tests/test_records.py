"""Identity: what makes a run the same run."""

import json
import re
from dataclasses import asdict, fields, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.errors import ConfigError
from sparkscore.records import (
    NO_POSTPROCESSING,
    OutputLookup,
    PinAdditions,
    PinnedTable,
    Pins,
    Postprocessing,
    RuleVerdict,
    Run,
    RunCommitNote,
    RunReport,
    Verdict,
    json_digest,
    parse_as_of,
    parse_utc_time,
    to_utc_text,
)

AS_OF = datetime(2013, 12, 31, tzinfo=UTC)
PINS = Pins("table-id", 3, "flight-delay", "1", "abc", "def")
RENAMED = Run("new", AS_OF, 1, 1, PINS, "flights", "m-1", first_job="job")
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


def test_a_newer_version_of_a_table_that_is_joined_is_another_run_and_no_difference_of_configs() -> None:
    one, other = (
        Postprocessing(columns="abc", lookups=(OutputLookup("actions", "id", version, "digest"),)) for version in (1, 2)
    )
    assert replace(RUN, postprocessing=one).run_id != replace(RUN, postprocessing=other).run_id
    assert one.differences(other) == []
    assert one.differences(NO_POSTPROCESSING) == ["output.columns abc published, None asked for"]
    assert Postprocessing.from_dict(json.loads(json.dumps(one.to_dict()))) == one


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


def note_run() -> Run:
    return Run("job", AS_OF, 2, 1, PINS, "flights", "m-1", Postprocessing(0.5))


def test_what_is_pinned_beside_the_source_stands_behind_the_digest_of_the_settings() -> None:
    tables = (PinnedTable("a", 3), PinnedTable("b", 0))
    additions = PinAdditions(lookups=tables, features=(PinnedTable("c", 7),), changes_since=0)
    pins = replace(PINS, scoring_digest=additions.add_to_digest("def"))
    assert pins.scoring_digest == "def+a@3+b@0+feature:c@7+changes:0"
    assert (pins.settings_digest, pins.additions, pins.lookups) == ("def", additions, tables)
    assert (PINS.settings_digest, PINS.additions, PINS.lookups) == ("def", PinAdditions(), ())
    assert PinAdditions().add_to_digest("def") == "def"
    assert pins.stage_id(AS_OF) != PINS.stage_id(AS_OF)
    note = RunCommitNote.of(replace(RUN, pins=pins), rows=1, rejected=0)
    assert RunCommitNote.from_json(note.to_json()) == note


class TestRunCommitNote:
    def test_what_is_written_is_read_again(self) -> None:
        note = RunCommitNote.of(note_run(), rows=10, rejected=1)
        assert RunCommitNote.from_json(note.to_json()) == note

    def test_the_keys_stay_as_they_were_written_by_earlier_versions(self) -> None:
        written = json.loads(RunCommitNote.of(note_run(), rows=10, rejected=1).to_json())["sparkscore"]
        identity = {"job", "as_of", "revision", "attempt", "run_id", "rows", "rejected"}
        assert written.keys() == identity | {"pins", "source_table", "model_id", "postprocessing", "writer"}
        assert written["pins"] == asdict(PINS)
        assert (written["as_of"], written["postprocessing"]) == (to_utc_text(AS_OF), {"threshold": 0.5})

    def test_a_note_of_an_earlier_version_has_no_postprocessing(self) -> None:
        run = replace(note_run(), postprocessing=NO_POSTPROCESSING)
        note = RunCommitNote.of(run, rows=10, rejected=1)
        assert "postprocessing" not in note.to_json()
        assert RunCommitNote.from_json(note.to_json()) == note

    def test_what_becomes_of_deleted_keys_stands_in_it_where_there_are_some(self) -> None:
        note = replace(RunCommitNote.of(note_run(), rows=10, rejected=1), marked=2, removed={"run-1": 3})
        assert RunCommitNote.from_json(note.to_json()) == note

    def test_a_note_of_an_earlier_version_has_no_writer(self) -> None:
        note = RunCommitNote.of(note_run(), rows=10, rejected=1)
        written = json.loads(note.to_json())
        del written["sparkscore"]["writer"]
        assert RunCommitNote.from_json(json.dumps(written)) == replace(note, writer="")

    def test_two_writers_of_one_run_are_told_apart(self) -> None:
        one, other = (RunCommitNote.of(note_run(), rows=10, rejected=1) for _ in range(2))
        assert one.writer != other.writer
        assert replace(one, writer="") == replace(other, writer="")

    @pytest.mark.parametrize(
        "text", [None, "", "{}", "words", "[]", '{"sparkscore": 1}', '{"sparkscore": {"job": "j"}}']
    )
    def test_a_commit_that_publishes_no_run_has_none(self, text: str | None) -> None:
        assert RunCommitNote.from_json(text) is None


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("2013-12-31", "2013-12-31T00:00:00Z"),
        ("2013-12-31T06:00:00+02:00", "2013-12-31T04:00:00Z"),
        (date(2013, 12, 31), "2013-12-31T00:00:00Z"),
        (datetime.fromisoformat("2013-12-31T06:00:00"), "2013-12-31T06:00:00Z"),
        (pd.Timestamp("2013-12-31T06:00:00.000001002Z"), "2013-12-31T06:00:00.000001Z"),
        ("1678-01-01", "1678-01-01T00:00:00Z"),
        ("2261-12-31T23:59:59.999999Z", "2261-12-31T23:59:59.999999Z"),
    ],
)
def test_an_as_of_is_a_time_in_utc(given: Any, text: str) -> None:
    moment = parse_as_of(given)
    assert (to_utc_text(moment), type(moment)) == (text, datetime)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("", "as_of '' is no date or timestamp"),
        ("yesterday", "as_of 'yesterday' is no date or timestamp"),
        (20131231, "as_of 20131231 is no date or timestamp"),
        (None, "as_of None is no date or timestamp"),
        ("0001-01-01T00:00:00+14:00", "lies outside of the years 1 to 9999 in UTC"),
        ("9999-12-31T23:00:00-02:00", "lies outside of the years 1 to 9999 in UTC"),
        ("1677-12-31T23:59:59.999999Z", "is a time that many readers of Parquet cannot hold"),
        ("2262-01-01", "is a time that many readers of Parquet cannot hold"),
        ("9999-12-31", "is a time that many readers of Parquet cannot hold"),
    ],
)
def test_what_no_table_can_hold_as_an_as_of_is_refused(given: Any, found: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(found)):
        parse_as_of(given)


def test_a_time_of_a_window_may_be_any_of_the_calendar() -> None:
    assert parse_utc_time("9999-12-31", what="drift.baseline") == datetime(9999, 12, 31, tzinfo=UTC)
    with pytest.raises(ConfigError, match=r"drift\.baseline 'x' is no date or timestamp"):
        parse_utc_time("x", what="drift.baseline")


def test_a_renamed_job_keeps_the_names_of_its_runs_and_their_guards() -> None:
    assert (RENAMED.run_id, RENAMED.txn_app_id, RENAMED.stage_id) == (RUN.run_id, RUN.txn_app_id, RUN.stage_id)
    renamed, former = (replace(RunCommitNote.of(one, rows=1, rejected=0), writer="") for one in (RENAMED, RUN))
    assert renamed == former
