"""SIGTERM of a process that has started Spark itself: Spark's JVM ends first, and this process with 143 after it."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from sparkscore.errors import SparkscoreError, TemporaryError

SIGTERM_EXIT_CODE = 128 + signal.SIGTERM

_JVM_END_S = 20
_RESULT_S = 10
_terminated = threading.Event()
_jvm_ended = threading.Event()


def end_jvm_on_sigterm() -> None:
    """From now on a SIGTERM ends Spark's JVM, whose end the job reports like any other, and then this process.

    Python runs its handlers in the main thread alone, which may be anywhere: so the signal goes through a pipe to a
    thread of its own.

    Needs:   the main thread.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.signal(signal.SIGTERM, lambda *_: None)  # without a handler nothing is written
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_await_sigterm, args=(reader,), name="sparkscore-sigterm", daemon=True).start()


def choose_exit_code(code: int) -> int:
    """The exit code of a process that would end with this one: 143, when Spark has ended, where a SIGTERM was why."""
    if not _terminated.is_set():
        return code
    _jvm_ended.wait(_JVM_END_S)
    return SIGTERM_EXIT_CODE


def name_termination(error: Exception) -> Exception:
    """The error itself; after a SIGTERM one that says so, and that a retry may help: what fails then is Spark's end.

    What already says that a retry may help says more.
    """
    if not _terminated.is_set() or (isinstance(error, SparkscoreError) and error.retryable):
        return error
    named = TemporaryError("SIGTERM ended the process", "a process that lasts until its work is done")
    named.__cause__ = error
    return named


def _await_sigterm(reader: int) -> None:
    while os.read(reader, 1) != bytes([signal.SIGTERM]):  # other signals that Python handles
        pass
    _terminated.set()
    jvm = _find_jvm()
    if jvm is not None:
        jvm.terminate()
        with suppress(subprocess.TimeoutExpired):
            jvm.wait(_JVM_END_S)
        _jvm_ended.set()
        threading.Event().wait(_RESULT_S)  # the main thread tells of it, and ends the process
    _end_children()
    os._exit(SIGTERM_EXIT_CODE)


def _end_children() -> None:
    """End what this process has started and not yet heard of: a JVM on its way, which would go on for seconds."""
    for listed in Path("/proc/self/task").glob("*/children"):
        children: list[bytes] = []
        with suppress(OSError):
            children = listed.read_bytes().split()  # a codec would be imported, and imports may be what is stuck
        for child in children:
            with suppress(OSError):  # it has just ended: the others go on
                os.kill(int(child), signal.SIGTERM)


def _find_jvm() -> "subprocess.Popen[bytes] | None":
    """Spark's JVM, where this process has started it."""
    context = getattr(sys.modules.get("pyspark"), "SparkContext", None)
    found: subprocess.Popen[bytes] | None = getattr(getattr(context, "_gateway", None), "proc", None)
    return found
