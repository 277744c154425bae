"""Identity: what makes a run the same run."""

import json
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.records import (
    NO_POSTPROCESSING,
    Pins,
    Postprocessing,
    RuleVerdict,
    Run,
    RunCommitNote,
    RunReport,
    Verdict,
    json_digest,
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


class TestRunCommitNote:
    def test_what_is_written_is_read_again(self) -> None:
        note = RunCommitNote.of(note_run(), rows=10, rejected=1)
        assert RunCommitNote.from_json(note.to_json()) == note

    def test_the_keys_stay_as_they_were_written_by_earlier_versions(self) -> None:
        written = json.loads(RunCommitNote.of(note_run(), rows=10, rejected=1).to_json())["sparkscore"]
        identity = {"job", "as_of", "revision", "attempt", "run_id", "rows", "rejected"}
        assert written.keys() == identity | {"pins", "source_table", "model_id", "postprocessing"}
        assert written["pins"] == asdict(PINS)
        assert (written["as_of"], written["postprocessing"]) == (to_utc_text(AS_OF), {"threshold": 0.5})

    def test_a_note_of_an_earlier_version_has_no_postprocessing(self) -> None:
        run = replace(note_run(), postprocessing=NO_POSTPROCESSING)
        text = RunCommitNote.of(run, rows=10, rejected=1).to_json()
        assert "postprocessing" not in text
        assert RunCommitNote.from_json(text) == RunCommitNote.of(run, rows=10, rejected=1)

    @pytest.mark.parametrize(
        "text", [None, "", "{}", "words", "[]", '{"sparkscore": 1}', '{"sparkscore": {"job": "j"}}']
    )
    def test_a_commit_that_publishes_no_run_has_none(self, text: str | None) -> None:
        assert RunCommitNote.from_json(text) is None


def test_a_renamed_job_keeps_the_names_of_its_runs_and_their_guards() -> None:
    assert (RENAMED.run_id, RENAMED.txn_app_id, RENAMED.stage_id) == (RUN.run_id, RUN.txn_app_id, RUN.stage_id)
    assert RunCommitNote.of(RENAMED, rows=1, rejected=0) == RunCommitNote.of(RUN, rows=1, rejected=0)
