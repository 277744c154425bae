"""Exceptions without secrets: their messages and notes, and those of what caused them."""

from collections.abc import Iterator

from sparkscore.redaction.secret_patterns import redact_secrets


class HiddenCause(Exception):
    """Stands for an exception whose text holds a secret that cannot be taken out of it."""


def redact_exception(error: BaseException) -> None:
    """Take secrets out of the messages and notes of an exception and of all that it was raised from.

    An exception that keeps a secret in its text whatever its arguments are is replaced, as a cause, by its class and
    its text without secrets.
    """
    for one in list(_exception_chain(error)):
        notes = getattr(one, "__notes__", None)
        if notes:
            one.__notes__ = [redact_secrets(str(note)) for note in notes]
        if not _redact_arguments(one):
            continue
        for holder in _exception_chain(error):
            if holder.__cause__ is one:
                holder.__cause__ = _stand_in(one)
            if holder.__context__ is one:
                holder.__context__ = _stand_in(one)


def _exception_chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, and what it was raised from or while handling, each once."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]


def _redact_arguments(error: BaseException) -> bool:
    """Whether the exception's text still holds a secret when its arguments hold none."""
    text = _text_of(error)
    if redact_secrets(text) == text:
        return False
    error.args = tuple(redact_secrets(one) if isinstance(one, str) else one for one in error.args)
    text = _text_of(error)
    return redact_secrets(text) != text


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:  # noqa: BLE001  that of an error of Java asks a JVM, which may have ended
        return type(failure).__name__


def _stand_in(error: BaseException) -> HiddenCause:
    hidden = HiddenCause(f"{type(error).__name__}: {redact_secrets(_text_of(error))}")
    hidden.__cause__, hidden.__context__ = error.__cause__, error.__context__
    hidden.__suppress_context__ = error.__suppress_context__
    for note in getattr(error, "__notes__", ()):
        hidden.add_note(note)
    return hidden.with_traceback(error.__traceback__)
