"""Starts the optimiser's process and reads its answers. Runs on the driver."""

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sparkscore.errors import ConfigError, ModelError, find_error_class
from sparkscore.model.host.host_start import build_host_environment
from sparkscore.model.host.inherited_environment import read_inherited_environment
from sparkscore.model.optimise.optimiser_requests import (
    ANSWER_FILE,
    REQUEST_FILE,
    ConversionRequest,
    MeasuringRequest,
)
from sparkscore.redaction.secret_patterns import shorten_redacted

_MODULE = "sparkscore.model.optimise.optimiser_process"


def ask_optimiser(
    request: ConversionRequest | MeasuringRequest, folder: Path, *, sensitive: bool, timeout_s: float
) -> Mapping[str, Any]:
    """The answer of a process of its own, which loads the model: without secrets, and without Spark.

    Needs:   a private folder with the sample.
    Runs on: driver.
    Raises:  ModelError and its children for what the process raised, where it ended without an answer, and where it
             took longer than `timeout_s` seconds.
    """
    (folder / REQUEST_FILE).write_bytes(pickle.dumps(request))
    (folder / ANSWER_FILE).unlink(missing_ok=True)
    log = folder / "process.log"
    code = _run_process(request, folder, log, timeout_s)
    last = "" if sensitive else _last_line(log)
    if code is None:
        raise _late_process_error(request, timeout_s, last)
    answer = folder / ANSWER_FILE
    if not answer.is_file():
        raise _ended_process_error(code, last)
    read: Mapping[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in read:
        raise _restore_error(read["error"])
    return read


def _run_process(
    request: ConversionRequest | MeasuringRequest, folder: Path, log: Path, timeout_s: float
) -> int | None:
    """How the process ended; None where it had to be ended. In a group of its own: what it has started ends with it."""
    command = [sys.executable, "-P", "-m", _MODULE, str(folder)]
    environment = build_host_environment(read_inherited_environment(), cores=request.cores, device=None)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    try:
        return process.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _late_process_error(request: ConversionRequest | MeasuringRequest, timeout_s: float, last: str) -> ModelError:
    work = "converts the model" if isinstance(request, ConversionRequest) else "measures the models"
    return ModelError(
        f"the process that {work} has not answered within {timeout_s:g} s, and was ended{f': {last}' if last else ''}",
        "an answer within optimize.timeout",
        "raise optimize.timeout, leave out candidates (optimize.candidates), or measure fewer rows"
        " (optimize.sample_rows)",
    )


def _ended_process_error(code: int, last: str) -> Exception:
    missing = last.partition("No module named ")[2].strip("'")
    if missing:
        return ModuleNotFoundError(last, name=missing)
    return ModelError(
        f"the process that converts and measures the model ended with {code}{f': {last}' if last else ''}",
        "an answer",
        "look whether there is memory for the model twice over; leave out the candidate that it was at",
    )


def _last_line(log: Path) -> str:
    lines = log.read_bytes()[-4000:].decode("utf-8", "replace").strip().splitlines()
    return shorten_redacted(lines[-1], 300) if lines else ""


def _restore_error(told: Mapping[str, Any]) -> Exception:
    kind = find_error_class(str(told["name"])) or ModelError
    found, expected, do = map(str, told["parts"])
    return (kind if issubclass(kind, ModelError | ConfigError) else ModelError)(found, expected, do)
