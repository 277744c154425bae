"""Sends an error of the suite from a Python worker to the driver: Spark carries only the text of a traceback.

This text also contains what a model has raised, and values that it quotes. The suite's own lines are signed with a
secret that the driver creates for the attempt and that travels with its tasks: no other line decides how a run ends.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sparkscore.errors import MESSAGE_HIDDEN, PredictError, SparkscoreError
from sparkscore.redaction.exception_redaction import redact_exception
from sparkscore.spark.java_throwables import is_from_python, names_python_exception, throwables_of

_ERROR_MARK = "sparkscore-error "
_ERROR_MARK_PATTERN = re.compile(re.escape(_ERROR_MARK) + r"([0-9a-f]{64}): (\{.*\})")
_WORKER_CRASH_PATTERN = "Python worker exited unexpectedly"
_SAYS_CRASHED = re.compile(rf"^{_WORKER_CRASH_PATTERN}|SparkException: {_WORKER_CRASH_PATTERN}")
_MAX_CAUSES = 20


@contextmanager
def mark_task_errors(secret: str, *, sensitive: bool = False) -> Iterator[None]:
    """Errors of the suite leave the block with one more line in their traceback, which `recover_task_error` reads.

    `secret`: the attempt's; it signs the line, and appears nowhere. `sensitive`: other errors become one of the suite's
    that shows their class alone: Spark logs whatever a worker raises.

    Needs:   a block that lets nothing of a model's own through (`model.runtimes.foreign_code`), so that it is the
             suite that speaks.
    Runs on: executor.
    """
    try:
        yield
    except SparkscoreError as error:
        redact_exception(error)
        _add_error_note(error, secret)
        if sensitive:
            raise error from None
        raise
    except Exception as error:
        if not sensitive:
            redact_exception(error)
            raise
        hidden = SparkscoreError(f"{type(error).__name__} in a Python worker", do=MESSAGE_HIDDEN)
        _add_error_note(hidden, secret)
        raise hidden from None


def recover_task_error(error: Exception, secret: str) -> SparkscoreError | None:
    """The suite's error that a Python worker raised, or that its end means; None for other failures.

    Needs:   the `secret` that the tasks had. A line that is not signed with it is ignored.
    Runs on: driver.
    """
    for text in _cause_texts(error):
        for signature, line in _ERROR_MARK_PATTERN.findall(text):
            if hmac.compare_digest(signature, _sign_line(line, secret)):
                return _parse_error_note(line)
    return _worker_crash_error() if is_worker_crash(error) else None


def _add_error_note(error: SparkscoreError, secret: str) -> None:
    if not any(note.startswith(_ERROR_MARK) for note in getattr(error, "__notes__", ())):
        line = json.dumps(error.to_dict())
        error.add_note(f"{_ERROR_MARK}{_sign_line(line, secret)}: {line}")


def _sign_line(line: str, secret: str) -> str:
    return hmac.new(secret.encode(), line.encode(), hashlib.sha256).hexdigest()


def is_worker_crash(error: Exception) -> bool:
    """Whether Spark itself says that a worker ended, not a message that quotes it.

    Runs on: driver.
    """
    if is_from_python(error):
        return False
    throwables = throwables_of(error)
    if not throwables:
        return _WORKER_CRASH_PATTERN in str(error) and not names_python_exception(str(error))
    return any(one.kind.endswith(".SparkException") and _SAYS_CRASHED.search(one.message) for one in throwables)


def _worker_crash_error() -> PredictError:
    return PredictError(
        "a Python worker ended without an error message in every attempt of a task",
        "workers that keep running: a worker ends if it runs out of memory, if the model crashes it, or if the model"
        " holds Python's global lock for longer than scoring.batch_timeout",
        "see the executors' log; use smaller batches, more memory, or model.residency: executor",
    )


def _parse_error_note(line: str) -> SparkscoreError | None:
    try:
        return SparkscoreError.from_dict(json.loads(line))
    except ValueError:
        return None


def _cause_texts(error: BaseException) -> Iterator[str]:
    """The messages of an error, of what caused it, and of the causes on the JVM's side."""
    current: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if current is None:
            return
        yield str(current)
        yield from _jvm_cause_texts(getattr(current, "_origin", None) or getattr(current, "java_exception", None))
        current = current.__cause__ or current.__context__


def _jvm_cause_texts(cause: Any) -> Iterator[str]:
    for _ in range(_MAX_CAUSES):
        if cause is None:
            return
        yield str(cause.toString())
        cause = cause.getCause()
