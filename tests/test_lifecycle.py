"""What the past of an as_of means for the next attempt."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sparkscore.errors import ConfigError, TableChanged
from sparkscore.lifecycle import (
    decide_next_attempt,
    decide_retry,
    decide_rollback,
    exported_targets,
    find_needed_full_run,
    list_publications,
    select_run_events,
    unknown_runs,
    unsettled_events,
)
from sparkscore.records import Pins, RunEvent

AS_OF = datetime(2013, 12, 31, tzinfo=UTC)
PINS = Pins("id", 1, "model", "1", "digest", "scoring")
STARTED = RunEvent("job", AS_OF, 1, 1, "started", AS_OF, "run-1", PINS)
STAGED = replace(STARTED, event="staged", rows_scored=10)
PUBLISHED = replace(STAGED, event="published")
SEEN = {"run-1": 10}


def failed(code: int) -> RunEvent:
    return replace(STARTED, event="failed", exit_code=code)


def test_an_as_of_without_a_past_is_revision_one_attempt_one() -> None:
    decision = decide_next_attempt([], {})
    assert (decision.kind, decision.revision, decision.attempt, decision.keep) == ("work", 1, 1, None)


def test_a_published_as_of_stays() -> None:
    decision = decide_next_attempt([STARTED, STAGED, PUBLISHED], SEEN)
    assert (decision.kind, decision.current) == ("already_published", PUBLISHED)


def test_a_slower_attempt_that_failed_after_the_publication_changes_nothing() -> None:
    assert decide_next_attempt([PUBLISHED, failed(75)], SEEN).kind == "already_published"


@pytest.mark.parametrize(
    "past", [[STARTED], [STARTED, STAGED], [STARTED, failed(75)], [STARTED, replace(STARTED, event="aborted")]]
)
def test_an_attempt_that_died_or_may_be_retried_hands_its_pins_on(past: list[RunEvent]) -> None:
    decision = decide_next_attempt(past, {})
    assert (decision.keep, decision.revision, decision.attempt) == (PINS, 1, 2)


def test_an_attempt_that_never_ended_is_to_be_closed() -> None:
    assert decide_next_attempt([STARTED, STAGED], {}).unfinished == STAGED
    assert decide_next_attempt([STARTED, failed(3)], {}).unfinished is None


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_an_attempt_that_failed_for_good_is_resolved_anew(code: int) -> None:
    decision = decide_next_attempt([STARTED, failed(code)], {})
    assert (decision.keep, decision.attempt) == (None, 2)


def test_a_restart_keeps_nothing() -> None:
    assert decide_next_attempt([STARTED], {}, restart=True).keep is None


def test_a_replacement_takes_the_next_revision() -> None:
    decision = decide_next_attempt([STARTED, PUBLISHED], SEEN, replace=True)
    assert (decision.kind, decision.revision, decision.attempt, decision.keep) == ("work", 2, 1, None)


def test_a_replacement_that_died_goes_on_without_being_asked_again() -> None:
    second = replace(STARTED, revision=2, run_id="run-2")
    decision = decide_next_attempt([PUBLISHED, second], SEEN)
    assert (decision.revision, decision.attempt, decision.keep) == (2, 2, PINS)


def test_a_replacement_that_failed_for_good_leaves_the_publication() -> None:
    second = replace(failed(3), revision=2, run_id="run-2")
    decision = decide_next_attempt([PUBLISHED, second], SEEN)
    assert (decision.kind, decision.revision) == ("already_published", 1)
    again = decide_next_attempt([PUBLISHED, second], SEEN, replace=True)
    assert (again.kind, again.revision, again.attempt) == ("work", 2, 2)


@pytest.mark.parametrize("visible", [{}, {"run-1": 9}, {"run-1": 10, "other": 1}, {"other": 10}])
def test_a_table_that_changed_behind_our_back_is_an_error(visible: dict[str, int]) -> None:
    with pytest.raises(TableChanged, match="10 rows of run run-1"):
        decide_next_attempt([STARTED, PUBLISHED], visible)


def test_force_publishes_a_changed_table_again() -> None:
    decision = decide_next_attempt([STARTED, PUBLISHED], {}, force=True, committed=1)
    assert (decision.kind, decision.revision) == ("work", 2)


def test_force_without_events_steps_over_what_the_table_has_committed() -> None:
    assert decide_next_attempt([], {}, force=True, committed=3).revision == 4


def test_a_publication_of_no_rows_is_consistent_with_an_empty_table() -> None:
    assert decide_next_attempt([replace(PUBLISHED, rows_scored=0)], {}).kind == "already_published"


def test_rows_of_a_run_that_no_event_published_are_unknown() -> None:
    assert unknown_runs([STARTED, STAGED], SEEN) == ["run-1"]
    assert unknown_runs([PUBLISHED], SEEN) == []


SECOND = replace(PUBLISHED, revision=2, run_id="run-2", pins=replace(PINS, model_version="2"))
SEEN_SECOND = {"run-2": 10}


def begun(verb: str, of_run: str, *, revision: int, event: str = "started", attempt: int = 1) -> RunEvent:
    details = f'{{"verb": "{verb}", "of_run": "{of_run}"}}'
    own = replace(STARTED, revision=revision, attempt=attempt, run_id=f"run-{revision}", details=details)
    return replace(own, event=event)  # type: ignore[arg-type]


def test_an_event_is_of_a_score_where_it_does_not_tell_its_verb() -> None:
    assert (STARTED.verb, STARTED.origin_run_id) == ("score", None)
    told = begun("rollback", "run-1", revision=2)
    assert (told.verb, told.origin_run_id) == ("rollback", "run-1")


class TestRollback:
    def test_the_publication_before_the_one_that_readers_see_goes_back_as_the_next_revision(self) -> None:
        decision = decide_rollback([PUBLISHED, SECOND], SEEN_SECOND, to=None)
        assert (decision.earlier, decision.current) == (PUBLISHED, SECOND)
        assert (decision.kind, decision.revision, decision.attempt) == ("work", 3, 1)

    @pytest.mark.parametrize("to", ["1", "run-0001-abc", "run-0001"])
    def test_a_publication_is_named_by_its_revision_or_its_run(self, to: str) -> None:
        first = replace(PUBLISHED, run_id="run-0001-abc")
        third = replace(PUBLISHED, revision=3, run_id="run-3")
        assert decide_rollback([first, SECOND, third], {"run-3": 10}, to=to).earlier == first

    @pytest.mark.parametrize("to", ["7", "run-9999", "run", "0"])
    def test_a_publication_that_is_not_there_is_told_with_those_that_are(self, to: str) -> None:
        with pytest.raises(ConfigError, match=r"run-1.*run-2"):
            decide_rollback([PUBLISHED, SECOND], SEEN_SECOND, to=to)

    def test_the_first_publication_has_none_before_it(self) -> None:
        with pytest.raises(ConfigError, match=r"no earlier publication[^*]*1 \(run run-1\)"):
            decide_rollback([PUBLISHED], SEEN, to=None)

    def test_without_a_publication_there_is_nothing_to_go_back_to(self) -> None:
        with pytest.raises(ConfigError, match="nothing is published"):
            decide_rollback([STARTED], {}, to=None)

    def test_a_table_that_changed_behind_our_back_is_an_error(self) -> None:
        with pytest.raises(TableChanged, match="10 rows of run run-2"):
            decide_rollback([PUBLISHED, SECOND], {"run-2": 9}, to=None)

    def test_what_readers_see_already_stays(self) -> None:
        assert decide_rollback([PUBLISHED, SECOND], SEEN_SECOND, to="2").kind == "already_published"
        third = [begun("rollback", "run-1", revision=3), begun("rollback", "run-1", revision=3, event="published")]
        third[1] = replace(third[1], rows_scored=10)
        again = decide_rollback([PUBLISHED, SECOND, *third], {"run-3": 10}, to="1")
        assert (again.kind, again.revision) == ("already_published", 3)

    def test_an_attempt_that_died_before_its_commit_is_taken_over_and_closed(self) -> None:
        died = begun("rollback", "run-1", revision=3)
        decision = decide_rollback([PUBLISHED, SECOND, died], SEEN_SECOND, to=None)
        assert (decision.earlier, decision.revision, decision.attempt, decision.unfinished) == (PUBLISHED, 3, 2, died)

    def test_one_that_died_after_its_commit_is_not_taken_back_by_the_command_that_repeats_it(self) -> None:
        recovered = replace(PUBLISHED, revision=3, run_id="run-3")
        past = [PUBLISHED, SECOND, begun("rollback", "run-1", revision=3), recovered]
        decision = decide_rollback(past, {"run-3": 10}, to=None, recovered=["run-3"])
        assert (decision.kind, decision.current) == ("already_published", recovered)

    def test_a_rollback_that_is_rolled_back_gives_what_was_before_it(self) -> None:
        done = replace(begun("rollback", "run-1", revision=3, event="published"), rows_scored=10)
        assert decide_rollback([PUBLISHED, SECOND, done], {"run-3": 10}, to=None).earlier == SECOND

    @pytest.mark.parametrize("verb", ["rollback", "rejects"])
    def test_a_plain_run_leaves_what_another_verb_has_begun_to_that_verb(self, verb: str) -> None:
        died = begun(verb, "run-1", revision=3)
        decision = decide_next_attempt([PUBLISHED, SECOND, died], SEEN_SECOND)
        assert (decision.kind, decision.current, decision.unfinished) == ("already_published", SECOND, died)

    def test_a_replacement_takes_over_the_revision_that_a_rollback_began(self) -> None:
        died = begun("rollback", "run-1", revision=3)
        decision = decide_next_attempt([PUBLISHED, SECOND, died], SEEN_SECOND, replace=True)
        assert (decision.kind, decision.revision, decision.attempt) == ("work", 3, 2)
        assert (decision.keep, decision.unfinished) == (None, died)


class TestRetry:
    def test_it_is_the_next_revision_with_the_same_pins(self) -> None:
        decision = decide_retry([PUBLISHED], SEEN, run_id="run-1")
        assert (decision.kind, decision.revision, decision.attempt, decision.keep) == ("work", 2, 1, PINS)

    def test_a_run_that_readers_do_not_see_is_refused_and_theirs_is_named(self) -> None:
        with pytest.raises(ConfigError, match="run run-2, revision 2"):
            decide_retry([PUBLISHED, SECOND], SEEN_SECOND, run_id="run-1")

    def test_a_run_that_was_retried_stays(self) -> None:
        done = replace(begun("rejects", "run-1", revision=2, event="published"), rows_scored=10)
        decision = decide_retry([PUBLISHED, done], SEEN_SECOND, run_id="run-1")
        assert (decision.kind, decision.current) == ("already_published", done)

    def test_one_that_died_before_it_had_staged_scores_again(self) -> None:
        died = begun("rejects", "run-1", revision=2)
        decision = decide_retry([PUBLISHED, died], SEEN, run_id="run-1")
        assert (decision.revision, decision.attempt, decision.unfinished, decision.staged) == (2, 2, died, False)

    @pytest.mark.parametrize(("code", "staged"), [(75, True), (3, False)])
    def test_one_that_had_staged_goes_on_unless_it_failed_for_good(self, code: int, staged: bool) -> None:
        past = [begun("rejects", "run-1", revision=2, event=event) for event in ("started", "staged", "failed")]
        past[-1] = replace(past[-1], exit_code=code)
        decision = decide_retry([PUBLISHED, *past], SEEN, run_id="run-1")
        assert (decision.revision, decision.attempt, decision.staged) == (2, 2, staged)

    def test_what_a_score_had_staged_for_the_revision_is_not_taken_for_its_own(self) -> None:
        other = replace(STAGED, revision=2, run_id="run-2")
        decision = decide_retry([PUBLISHED, other], SEEN, run_id="run-1")
        assert (decision.staged, decision.unfinished) == (False, other)


def test_a_run_is_named_by_eight_characters_or_more() -> None:
    long = replace(STARTED, run_id="0123456789")
    assert select_run_events([STARTED, long], "01234567") == [long]
    for wrong in ("0123456", "run-1", "9999999999"):
        with pytest.raises(ConfigError, match="one of run-1, 0123456789"):
            select_run_events([STARTED, long], wrong)


def test_publications_are_one_per_revision_although_an_event_is_there_twice() -> None:
    again = replace(PUBLISHED, message="recorded again")
    assert [event.revision for event in list_publications([SECOND, PUBLISHED, again])] == [1, 2]


def test_an_attempt_without_an_end_or_with_pins_to_keep_is_unsettled() -> None:
    assert unsettled_events([STARTED, STAGED]) == [STARTED, STAGED]
    assert unsettled_events([STARTED, failed(75)]) == [STARTED, failed(75)]
    assert unsettled_events([STARTED, replace(STARTED, event="aborted")])[0] == STARTED
    assert unsettled_events([STARTED, failed(3)]) == []
    assert unsettled_events([STARTED, STAGED, PUBLISHED]) == []


def test_an_attempt_in_doubt_stays_unsettled_beside_a_later_one_that_failed() -> None:
    later = replace(failed(3), attempt=2)
    assert unsettled_events([STARTED, STAGED, later]) == [STARTED, STAGED]
    assert unsettled_events([STARTED, failed(75), later]) == []


def test_a_publication_settles_the_attempts_of_its_revision_and_of_older_ones() -> None:
    second = replace(PUBLISHED, revision=2, run_id="run-2")
    assert unsettled_events([STARTED, STAGED, second]) == []
    assert unsettled_events([STARTED, replace(PUBLISHED, attempt=2)]) == []
    third = replace(STARTED, revision=3, run_id="run-3")
    assert unsettled_events([STARTED, second, third]) == [third]


def test_each_as_of_is_settled_by_itself() -> None:
    other = replace(STARTED, as_of=datetime(2014, 1, 1, tzinfo=UTC))
    assert unsettled_events([STARTED, PUBLISHED, other]) == [other]
    assert unsettled_events([]) == []


def exported(target: str, run_id: str = "run-1", error: str | None = None) -> RunEvent:
    details = json.dumps({"export": {"name": "bi", "target": target}})
    return replace(PUBLISHED, event="exported", run_id=run_id, details=details, error=error)


def test_an_export_is_made_where_an_event_of_the_run_says_so_without_an_error() -> None:
    events = [PUBLISHED, exported("a"), exported("b", error="ExportFailed"), exported("c", "run-0")]
    assert exported_targets(events, "run-1") == {("bi", "a")}


def test_exports_change_nothing_of_what_comes_next() -> None:
    events = [STARTED, STAGED, PUBLISHED, exported("a"), replace(exported("b", error="ExportFailed"), exit_code=75)]
    assert decide_next_attempt(events, SEEN) == decide_next_attempt(events[:3], SEEN)
    assert decide_next_attempt(events, SEEN, replace=True) == decide_next_attempt(events[:3], SEEN, replace=True)
    assert decide_retry(events, SEEN, run_id="run-1") == decide_retry(events[:3], SEEN, run_id="run-1")
    assert unsettled_events(events) == []


def test_marks_of_deleted_keys_count_among_the_visible_rows_of_a_publication() -> None:
    marked = replace(PUBLISHED, details=json.dumps({"increment": {"rows_deleted": 3, "on_delete": "mark"}}))
    assert decide_next_attempt([STARTED, marked], {"run-1": 13}).kind == "already_published"
    with pytest.raises(TableChanged, match="13 rows of run"):
        decide_next_attempt([STARTED, marked], SEEN)
    kept = replace(PUBLISHED, details=json.dumps({"increment": {"rows_deleted": 3, "on_delete": "keep"}}))
    assert decide_next_attempt([STARTED, kept], SEEN).kind == "already_published"


def test_what_is_kept_of_increments_stands_on_the_full_run_before_them() -> None:
    changes = replace(PINS, scoring_digest="scoring+changes:1")
    days = [AS_OF.replace(day=day) for day in range(1, 7)]
    events = [
        replace(PUBLISHED, as_of=day, pins=PINS if place in (1, 4) else changes) for place, day in enumerate(days)
    ]
    assert find_needed_full_run(events, kept_from=days[3]) == days[1]
    assert find_needed_full_run(events, kept_from=days[4]) == days[4]
    assert find_needed_full_run(events, kept_from=days[0]) is None
