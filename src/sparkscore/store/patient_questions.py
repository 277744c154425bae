"""Questions to a service that may answer late: said while one waits, and given up after a while."""

import time
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

import structlog

from sparkscore.errors import TemporaryError

log = structlog.get_logger("sparkscore")

_Answer = TypeVar("_Answer")
_FIRST_WORD_S = 15.0
LONGEST_WAIT_S = 300.0


def ask_in_time(
    question: Callable[[], _Answer], what: str, *, say_after_s: float = _FIRST_WORD_S, wait_s: float = LONGEST_WAIT_S
) -> _Answer:
    """The answer to a question that cannot be stopped, asked in a thread of its own.

    After some seconds the log says what is waited for.

    Raises:  whatever the question raises; TemporaryError where there is no answer in time.
    """
    answers: list[_Answer] = []
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            answers.append(question())
        except BaseException as error:  # noqa: BLE001  raised again where the answer is waited for
            errors.append(error)

    begin, thread = time.monotonic(), Thread(target=ask, daemon=True)
    thread.start()
    thread.join(min(say_after_s, wait_s))
    if thread.is_alive():
        log.warning("no answer yet", doing=what, waited_s=say_after_s, waits_s=wait_s)
        thread.join(max(0.0, wait_s - (time.monotonic() - begin)))
    if thread.is_alive():
        raise TemporaryError(
            f"no answer within {wait_s:g} s while {what}",
            "a service that answers",
            "see whether the service is up and can be reached from here, then run it again",
        )
    if errors:
        raise errors[0]
    return answers[0]
