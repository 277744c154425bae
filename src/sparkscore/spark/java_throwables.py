"""Recognises failures of the JVM by classes and conditions: messages quote rows, and what Python code has raised.

Light, without pyspark: it checks which attributes an error has. Over Connect the exceptions are texts, in the order of
the server's stack trace.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_DEPTH = 20
_PYTHON = "PythonException"
_FROM_PYTHON = re.compile(r"org\.apache\.spark\.api\.python\.PythonException")
_QUOTING_STATES = ("21", "22", "23", "38", "39", "P0")
"""SQLSTATE classes of errors about data, and of functions that raised: their messages quote values of rows."""
_QUOTING_KINDS = ("java.lang.", "java.time.", "java.util.", "scala.")
"""Packages whose exceptions quote what they could not use: `For input string: "…"`."""
_SPARK_EXCEPTION = "org.apache.spark.SparkException"
_OF_A_JOB = "Job aborted"
_CAUSE = re.compile(r"^(?:Caused by: )?([a-zA-Z_$][\w$]*(?:\.[\w$]+)+)(?:: (.*))?$")
_FRAME = re.compile(r"^\s+at [\w.$<>/]+\(")
_CONDITION = re.compile(r"^\[([A-Z][A-Z0-9_.]+)\]")
_STATE = re.compile(r"SQLSTATE: (\w{5})")


@dataclass(frozen=True, slots=True)
class Throwable:
    """One exception of the JVM, in a chain of causes."""

    kind: str
    """Its class."""
    condition: str
    """Spark's or Delta's name of the error; empty where it has none."""
    message: str
    """Empty where it may quote a value."""


def throwables_of(error: BaseException) -> list[Throwable]:
    """The exceptions of the JVM behind an error of PySpark, the outermost first; none for errors made in Python.

    Runs on: driver.
    Jobs:    none.
    """
    return [_to_throwable(exception) for exception in _jvm_chain(error)] or [
        _hide_quotes(one) for one in server_throwables(error)
    ]


def server_throwables(error: BaseException) -> list[Throwable]:
    """The exceptions of a Connect server behind an error, the outermost first, with all that they say; none for others.

    Runs on: driver.
    """
    for cause in _walk_errors(error):
        if hasattr(cause, "getGrpcStatusCode"):
            return _parse_server_trace(cause)
    return []


def _parse_server_trace(error: Any) -> list[Throwable]:
    """The exceptions that a stack trace names. A server may keep the trace: then it is one, by what the error says."""
    whole = Throwable(type(error).__name__, str(error.getCondition() or ""), str(getattr(error, "_message", "") or ""))
    found: list[Throwable] = []
    for line in str(error.getStackTrace() or "").splitlines():
        cause = _CAUSE.match(line) if not found or line.startswith("Caused by: ") else None
        if cause is not None and len(found) < _DEPTH:
            found.append(_text_throwable(cause[1], cause[2] or ""))
        elif found and len(found) < _DEPTH and not _FRAME.match(line):
            found[-1] = _text_throwable(found[-1].kind, f"{found[-1].message}\n{line}")
    if not found:
        return [whole]
    return [Throwable(found[0].kind, whole.condition, whole.message), *found[1:]]


def _text_throwable(kind: str, message: str) -> Throwable:
    condition = _CONDITION.match(message)
    return Throwable(kind, condition[1] if condition else "", message)


def _hide_quotes(one: Throwable) -> Throwable:
    """Without a message that may quote a value."""
    state = _STATE.search(one.message)
    is_quoting = state is not None and state[1].startswith(_QUOTING_STATES) if one.condition else _is_quoting_kind(one)
    return Throwable(one.kind, one.condition, "") if is_quoting else one


def _is_quoting_kind(one: Throwable) -> bool:
    return one.kind.startswith(_QUOTING_KINDS) or (
        one.kind.endswith("SparkException") and one.message.startswith(_OF_A_JOB)
    )


def is_from_python(error: BaseException) -> bool:
    """Whether Python code in a task has raised this: the sender of that code knows what it means.

    Runs on: driver.
    """
    is_python_error = any(kind.__name__ == _PYTHON for cause in _walk_errors(error) for kind in type(cause).__mro__)
    if is_python_error or any(_names_python(one) for one in server_throwables(error)):
        return True
    return any(
        exception.getClass().getName().endswith(f".{_PYTHON}") or _quotes_python(exception)
        for exception in _jvm_chain(error)
    )


def names_python_exception(text: str) -> bool:
    """Whether a message is that of an error of Python code in a task: for errors without an exception of the JVM."""
    return _FROM_PYTHON.search(text) is not None


def _names_python(one: Throwable) -> bool:
    """Whether an exception of a server is one of Python code, or quotes its text."""
    is_quoting = one.kind.endswith("SparkException") and names_python_exception(one.message)
    return one.kind.endswith(f".{_PYTHON}") or is_quoting


def _quotes_python(cause: Any) -> bool:
    """Whether a message without a cause contains the text of the cause."""
    return cause.getClass().getName() == _SPARK_EXCEPTION and names_python_exception(str(cause.getMessage()))


def _walk_errors(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes; a context only where it is what PySpark has made the error of."""
    current: BaseException | None = error
    for _ in range(_DEPTH):
        if current is None:
            return
        yield current
        context = current.__context__
        current = current.__cause__ or (context if hasattr(context, "java_exception") else None)


def _jvm_chain(error: BaseException) -> list[Any]:
    found: list[Any] = []
    for python_error in _walk_errors(error):
        cause = getattr(python_error, "_origin", None) or getattr(python_error, "java_exception", None)
        while cause is not None and len(found) < _DEPTH:
            found.append(cause)
            cause = cause.getCause()
    return found


def _to_throwable(cause: Any) -> Throwable:
    kind, condition = str(cause.getClass().getName()), _call_getter(cause, "getCondition")
    message = str(cause.getMessage() or "")
    if condition:
        quotes = _call_getter(cause, "getSqlState").startswith(_QUOTING_STATES)
    else:
        # what Spark says of a job holds the messages of its causes, which follow by themselves
        of_job = kind == _SPARK_EXCEPTION and message.startswith(_OF_A_JOB) and cause.getCause() is not None
        quotes = of_job or kind.startswith(_QUOTING_KINDS)
    return Throwable(kind, condition, "" if quotes else message)


def _call_getter(cause: Any, method: str) -> str:
    """The condition of Spark's own exceptions; others have no such method."""
    try:
        return str(getattr(cause, method)() or "")
    except Exception as error:  # py4j's, which this module does not import
        if type(error).__name__ == "Py4JError":
            return ""
        raise
