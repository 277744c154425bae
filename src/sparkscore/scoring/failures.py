"""How an error of the suite gets from a Python worker to the driver: Spark carries only the text of a traceback."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sparkscore import errors
from sparkscore.errors import PredictError, SparkscoreError

_MARK = "sparkscore-error: "
_MARKED = re.compile(re.escape(_MARK) + r"(\{.*\})")
_CRASHED = "Python worker exited unexpectedly"
_DEPTH = 20


@contextmanager
def marked() -> Iterator[None]:
    """Errors of the suite leave the block with one more line in their traceback, which `translated` reads.

    Runs on: executor.
    """
    try:
        yield
    except SparkscoreError as error:
        if any(note.startswith(_MARK) for note in getattr(error, "__notes__", ())):
            raise
        parts = {"class": type(error).__name__, "found": error.found, "expected": error.expected, "do": error.do}
        error.add_note(_MARK + json.dumps(parts))
        raise


def translated(error: Exception) -> SparkscoreError | None:
    """The suite's error that a Python worker raised, as it was there, or what its end means; None for other failures.

    Runs on: driver.
    """
    texts = list(_texts(error))
    for text in texts:
        found = _MARKED.findall(text)
        if found:
            return _revived(found[0])
    return _ended() if any(_CRASHED in text for text in texts) else None


def _ended() -> PredictError:
    return PredictError(
        "the Python worker of a task ended without a word, each time that Spark tried the task",
        "a worker that lives: one that memory ran out for, or that a batch ends, does not",
        "give executors more spark.executor.memoryOverhead, or use a smaller scoring.batch_rows;"
        " their stderr and the system's log may say what ended it",
    )


def _revived(line: str) -> SparkscoreError | None:
    try:
        parts = json.loads(line)
        kind = getattr(errors, parts["class"])
        return kind(parts["found"], parts["expected"], parts["do"]) if issubclass(kind, SparkscoreError) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _texts(error: BaseException) -> Iterator[str]:
    """The messages of an error, of what caused it, and of the causes on the JVM's side."""
    current: BaseException | None = error
    for _ in range(_DEPTH):
        if current is None:
            return
        yield str(current)
        yield from _jvm_texts(getattr(current, "_origin", None) or getattr(current, "java_exception", None))
        current = current.__cause__ or current.__context__


def _jvm_texts(cause: Any) -> Iterator[str]:
    for _ in range(_DEPTH):
        if cause is None:
            return
        yield str(cause.toString())
        cause = cause.getCause()
