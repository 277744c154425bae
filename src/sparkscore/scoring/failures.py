"""How an error of the suite gets from a Python worker to the driver: Spark carries only the text of a traceback."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sparkscore import errors
from sparkscore.errors import UNTOLD, PredictError, SparkscoreError

_MARK = "sparkscore-error: "
_MARKED = re.compile(re.escape(_MARK) + r"(\{.*\})")
_CRASHED = re.compile(r"Python worker exited unexpectedly")
_DEPTH = 20


@contextmanager
def marked(*, sensitive: bool = False) -> Iterator[None]:
    """Errors of the suite leave the block with one more line in their traceback, which `translated` reads.

    `sensitive`: others become one of the suite's that tells their class alone: Spark logs whatever a worker raises.

    Runs on: executor.
    """
    try:
        yield
    except SparkscoreError as error:
        _mark(error)
        if sensitive:
            raise error from None
        raise
    except Exception as error:
        if not sensitive:
            raise
        hidden = SparkscoreError(f"{type(error).__name__} in a Python worker", do=UNTOLD)
        _mark(hidden)
        raise hidden from None


def translated(error: Exception) -> SparkscoreError | None:
    """The suite's error that a Python worker raised, as it was there, or what its end means; None for other failures.

    Runs on: driver.
    """
    texts = list(_texts(error))
    for text in texts:
        found = _MARKED.findall(text)
        if found:
            return _revived(found[0])
    return _crashed() if any(_CRASHED.search(text) for text in texts) else None


def _mark(error: SparkscoreError) -> None:
    if not any(note.startswith(_MARK) for note in getattr(error, "__notes__", ())):
        parts = {"class": type(error).__name__, "found": error.found, "expected": error.expected, "do": error.do}
        error.add_note(_MARK + json.dumps(parts))


def _crashed() -> PredictError:
    return PredictError(
        "a Python worker ended without a word, as often as Spark tries a task",
        "workers that live: one that memory ran out for does not, nor one in which the model crashes, nor one in which"
        " it holds Python's lock beyond scoring.batch_timeout",
        "see the executors' log; use smaller batches, more memory, or model.residency: executor",
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
