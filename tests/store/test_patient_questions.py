"""A service that answers late is waited for, and not for ever."""

import time
from threading import Event

import pytest
import structlog

from sparkscore.errors import TemporaryError
from sparkscore.store.patient_questions import ask_in_time


def test_an_answer_and_an_error_come_through() -> None:
    tables = {"flights": 7}
    assert ask_in_time(lambda: tables["flights"], "asking") == 7
    with pytest.raises(KeyError, match="planes"):
        ask_in_time(lambda: tables["planes"], "asking")


def test_a_late_answer_is_waited_for_and_said() -> None:
    with structlog.testing.capture_logs() as said:

        def answer() -> int:
            while not said:
                time.sleep(0.01)
            return 7

        assert ask_in_time(answer, "asking the catalog", say_after_s=0.01, wait_s=60) == 7
    assert [(one["event"], one["doing"]) for one in said] == [("no answer yet", "asking the catalog")]


def test_what_never_answers_ends_the_run_with_75() -> None:
    with pytest.raises(TemporaryError, match=r"no answer within 0.1 s while asking the catalog"):
        ask_in_time(Event().wait, "asking the catalog", say_after_s=0.01, wait_s=0.1)
