"""An exception tells no secret: not in its message, its notes, nor in what caused it."""

import traceback

from sparkscore.redaction.exception_redaction import redact_exception
from sparkscore.redaction.known_secrets import register_secret

SECRET = "a-secret-of-the-test-1"


class Stubborn(Exception):
    def __str__(self) -> str:
        return f"I say {SECRET}"


def raised(kind: type[Exception]) -> Exception:
    try:
        try:
            try:
                raise OSError(2, f"no {SECRET}")
            except OSError as error:
                error.add_note(f"while {SECRET}")
                raise kind(f"over {SECRET}") from error
        except Exception as error:
            raise RuntimeError(f"above {SECRET}") from error
    except RuntimeError as error:
        return error


def test_messages_notes_and_causes_are_masked() -> None:
    register_secret(SECRET)
    error = raised(KeyError)
    redact_exception(error)
    shown = "".join(traceback.format_exception(error))
    assert SECRET not in shown
    assert [part in shown for part in ("above ***", "over ***", "no ***", "while ***", "KeyError")] == [True] * 5


def test_a_cause_that_says_it_all_the_same_is_replaced() -> None:
    register_secret(SECRET)
    error = raised(Stubborn)
    redact_exception(error)
    shown = "".join(traceback.format_exception(error))
    assert SECRET not in shown
    assert "Stubborn: I say ***" in shown
    assert "no ***" in shown


def test_an_exception_that_cannot_say_what_it_is_does_no_harm() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise OSError("the JVM has ended")

    redact_exception(Mute())


def test_an_exception_without_a_secret_stays_as_it_is() -> None:
    register_secret(SECRET)
    error = ValueError("plain", 3)
    redact_exception(error)
    assert error.args == ("plain", 3)
