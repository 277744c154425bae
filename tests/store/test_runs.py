"""What the past of an as_of means for the next attempt."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sparkscore.errors import TableChanged
from sparkscore.records import Pins, RunEvent
from sparkscore.store.runs import PLAIN, Wishes, decide, unknown_runs, unsettled

AS_OF = datetime(2013, 12, 31, tzinfo=UTC)
PINS = Pins("id", 1, "model", "1", "digest", "scoring")
STARTED = RunEvent("job", AS_OF, 1, 1, "started", AS_OF, "run-1", PINS)
STAGED = replace(STARTED, event="staged", rows_scored=10)
PUBLISHED = replace(STAGED, event="published")
SEEN = {"run-1": 10}


def failed(code: int) -> RunEvent:
    return replace(STARTED, event="failed", exit_code=code)


def test_an_as_of_without_a_past_is_revision_one_attempt_one() -> None:
    decision = decide([], {}, PLAIN)
    assert (decision.kind, decision.revision, decision.attempt, decision.keep) == ("work", 1, 1, None)


def test_a_published_as_of_stays() -> None:
    decision = decide([STARTED, STAGED, PUBLISHED], SEEN, PLAIN)
    assert (decision.kind, decision.shown) == ("already_published", PUBLISHED)


def test_a_slower_attempt_that_failed_after_the_publication_changes_nothing() -> None:
    assert decide([PUBLISHED, failed(75)], SEEN, PLAIN).kind == "already_published"


@pytest.mark.parametrize(
    "past", [[STARTED], [STARTED, STAGED], [STARTED, failed(75)], [STARTED, replace(STARTED, event="aborted")]]
)
def test_an_attempt_that_died_or_may_be_retried_hands_its_pins_on(past: list[RunEvent]) -> None:
    decision = decide(past, {}, PLAIN)
    assert (decision.keep, decision.revision, decision.attempt) == (PINS, 1, 2)


def test_an_attempt_that_never_ended_is_to_be_closed() -> None:
    assert decide([STARTED, STAGED], {}, PLAIN).open == STAGED
    assert decide([STARTED, failed(3)], {}, PLAIN).open is None


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_an_attempt_that_failed_for_good_is_resolved_anew(code: int) -> None:
    decision = decide([STARTED, failed(code)], {}, PLAIN)
    assert (decision.keep, decision.attempt) == (None, 2)


def test_a_restart_keeps_nothing() -> None:
    assert decide([STARTED], {}, Wishes(restart=True)).keep is None


def test_a_replacement_takes_the_next_revision() -> None:
    decision = decide([STARTED, PUBLISHED], SEEN, Wishes(replace=True))
    assert (decision.kind, decision.revision, decision.attempt, decision.keep) == ("work", 2, 1, None)


def test_a_replacement_that_died_goes_on_without_being_asked_again() -> None:
    second = replace(STARTED, revision=2, run_id="run-2")
    decision = decide([PUBLISHED, second], SEEN, PLAIN)
    assert (decision.revision, decision.attempt, decision.keep) == (2, 2, PINS)


def test_a_replacement_that_failed_for_good_leaves_the_publication() -> None:
    second = replace(failed(3), revision=2, run_id="run-2")
    decision = decide([PUBLISHED, second], SEEN, PLAIN)
    assert (decision.kind, decision.revision) == ("already_published", 1)
    again = decide([PUBLISHED, second], SEEN, Wishes(replace=True))
    assert (again.kind, again.revision, again.attempt) == ("work", 2, 2)


@pytest.mark.parametrize("visible", [{}, {"run-1": 9}, {"run-1": 10, "other": 1}, {"other": 10}])
def test_a_table_that_changed_behind_our_back_is_an_error(visible: dict[str, int]) -> None:
    with pytest.raises(TableChanged, match="10 rows of run run-1"):
        decide([STARTED, PUBLISHED], visible, PLAIN)


def test_force_publishes_a_changed_table_again() -> None:
    decision = decide([STARTED, PUBLISHED], {}, Wishes(force=True), committed=1)
    assert (decision.kind, decision.revision) == ("work", 2)


def test_force_without_events_steps_over_what_the_table_has_committed() -> None:
    assert decide([], {}, Wishes(force=True), committed=3).revision == 4


def test_a_publication_of_no_rows_is_consistent_with_an_empty_table() -> None:
    assert decide([replace(PUBLISHED, rows_scored=0)], {}, PLAIN).kind == "already_published"


def test_rows_of_a_run_that_no_event_published_are_unknown() -> None:
    assert unknown_runs([STARTED, STAGED], SEEN) == ["run-1"]
    assert unknown_runs([PUBLISHED], SEEN) == []


def test_an_attempt_without_an_end_or_with_pins_to_keep_is_unsettled() -> None:
    assert unsettled([STARTED, STAGED]) == [STARTED, STAGED]
    assert unsettled([STARTED, failed(75)]) == [STARTED, failed(75)]
    assert unsettled([STARTED, replace(STARTED, event="aborted")])[0] == STARTED
    assert unsettled([STARTED, failed(3)]) == []
    assert unsettled([STARTED, STAGED, PUBLISHED]) == []


def test_an_attempt_in_doubt_stays_unsettled_beside_a_later_one_that_failed() -> None:
    later = replace(failed(3), attempt=2)
    assert unsettled([STARTED, STAGED, later]) == [STARTED, STAGED]
    assert unsettled([STARTED, failed(75), later]) == []


def test_a_publication_settles_the_attempts_of_its_revision_and_of_older_ones() -> None:
    second = replace(PUBLISHED, revision=2, run_id="run-2")
    assert unsettled([STARTED, STAGED, second]) == []
    assert unsettled([STARTED, replace(PUBLISHED, attempt=2)]) == []
    third = replace(STARTED, revision=3, run_id="run-3")
    assert unsettled([STARTED, second, third]) == [third]


def test_each_as_of_is_settled_by_itself() -> None:
    other = replace(STARTED, as_of=datetime(2014, 1, 1, tzinfo=UTC))
    assert unsettled([STARTED, PUBLISHED, other]) == [other]
    assert unsettled([]) == []
