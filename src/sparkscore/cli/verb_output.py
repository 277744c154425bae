"""What a verb writes: the result line and its file, the report of a failure, log lines and text for people.

stdout carries the result line and nothing else; after --help and --version, which have none, what they ask for.
"""

import argparse
import json
import sys
import traceback
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

import structlog

from sparkscore.cli.command import CommandOutcome
from sparkscore.errors import ConfigError, ErrorSummary, SparkscoreError, escape_lone_surrogates
from sparkscore.monitor.screen import SteadyStream, discard_stream
from sparkscore.monitor.visible import visible_line, visible_text
from sparkscore.records import (
    BackfillReport,
    ComparisonReport,
    EvaluationReport,
    MaintenanceReport,
    MigrationReport,
    OptimizationReport,
    RunReport,
    ShadowReport,
    StreamReport,
)
from sparkscore.redaction.exception_redaction import redact_exception
from sparkscore.redaction.secret_patterns import mask_secrets, redact_secrets, redact_values, shorten_redacted


def to_result_line(line: str) -> str:
    """The result as strict JSON in ASCII, without secrets: each stream can write it, and each reader sees one line."""
    return json.dumps(_to_strict_json(redact_values(json.loads(line, parse_constant=lambda _: None))), allow_nan=False)


def _to_strict_json(value: Any) -> Any:
    """The value without halves of characters, which JSON can write and hardly any reader takes."""
    if isinstance(value, str):
        return escape_lone_surrogates(value)
    if isinstance(value, dict):
        return {_to_strict_json(name): _to_strict_json(one) for name, one in value.items()}
    return [_to_strict_json(one) for one in value] if isinstance(value, list) else value


def create_result_file(argv: Sequence[str]) -> Path | None:
    """Create the file of `--result` before anything else, so that every run can write its result.

    Raises:  ConfigError when it cannot be written.
    """
    given = [after for word, after in pairwise([*argv, ""]) if word == "--result"]
    given += [word.removeprefix("--result=") for word in argv if word.startswith("--result=")]
    if not given or not given[-1]:
        return None
    return write_flag_file("--result", given[-1], "")


def write_flag_file(flag: str, path: str, text: str) -> Path:
    """The file of a flag, with this text in it, without secrets.

    Raises:  ConfigError when it cannot be written.
    """
    file = Path(path)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(mask_secrets(text), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{flag} {file}: {error.strerror}", "a file that can be written", "name another file"
        ) from error
    return file


def write_result_file(line: str, file: Path) -> None:
    """Write the result to its file. A failure, such as a full disk, does not change the exit code."""
    try:
        file.write_text(line + "\n", encoding="utf-8")
    except OSError as error:
        print(f"sparkscore: the result was not written to {visible_text(str(file))}: {error.strerror}", file=sys.stderr)


def print_result_line(line: str, stdout: TextIO | None) -> None:
    """Print the result. If nobody can read it, the exit code stays the same."""
    try:
        print(line, file=stdout, flush=True)
    except (OSError, ValueError):  # closed, full, or whoever reads it has ended: under spark-submit the JVM, by SIGTERM
        discard_stream(stdout)


def print_usage(text: str, stream: TextIO | None) -> None:
    """Print text for people: to stdout if it was asked for, to stderr if it says what is wrong."""
    print(text, file=SteadyStream(stream))


def report_failure(error: Exception, args: argparse.Namespace) -> CommandOutcome:
    """The outcome of a command that failed; prints why to stderr."""
    redact_exception(error)
    known = error if isinstance(error, SparkscoreError) else _find_lost_session(error)
    report = (
        known.report
        if known is not None
        and isinstance(
            known.report,
            RunReport
            | BackfillReport
            | ComparisonReport
            | EvaluationReport
            | MaintenanceReport
            | MigrationReport
            | OptimizationReport
            | ShadowReport
            | StreamReport,
        )
        else None
    )
    if report is None:
        code = known.exit_code if known is not None else SparkscoreError.exit_code
        report = RunReport(
            getattr(args, "job", ""),
            getattr(args, "as_of", None),
            "failed",
            code,
            error=ErrorSummary.from_error(known or error),
        )
    if args.debug:
        print(visible_text(redact_secrets(traceback.format_exc())), file=sys.stderr)
    bug = f"{type(error).__name__}: {_first_error_lines(error)}\n  do: run it again with --debug for the stack trace"
    print(f"sparkscore: {visible_text(redact_secrets(bug if known is None else str(known)))}", file=sys.stderr)
    return CommandOutcome(report.exit_code, report.to_json())


def _find_lost_session(error: Exception) -> SparkscoreError | None:
    """What a verb that is no attempt of a run fails with when Spark is gone; light where nobody has started Spark."""
    if "pyspark" not in sys.modules:
        return None
    from sparkscore.spark.lost_session import is_session_lost, session_lost_error

    return session_lost_error("the verb was running") if is_session_lost(error) else None


def _first_error_lines(error: Exception) -> str:
    return shorten_redacted("\n".join(str(error).splitlines()[:3]), 500)


def log_to_stderr() -> None:
    """Send log lines to the current stderr; each stays one line and shows no secret."""

    def redact(_: Any, __: str, event: Any) -> Any:
        return {visible_line(name): _show_log_value(value) for name, value in event.items()}

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True),
            redact,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=20),
        ],
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # whatever stderr is by then
        cache_logger_on_first_use=False,
    )


def _show_log_value(value: Any) -> Any:
    """A value of a log line, on that line; what is no text is shown by Python, which escapes what cannot be seen."""
    shown = redact_values(value)
    return visible_line(shown) if isinstance(shown, str) else shown
