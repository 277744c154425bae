"""The one `main` of every job and of the console, and the table of verbs.

arguments -> settings -> session -> pipeline -> result line -> exit code
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sparkscore import __version__
from sparkscore.cli import completion
from sparkscore.cli.argument_secrets import register_argument_secrets
from sparkscore.cli.backfill_verb import BACKFILL
from sparkscore.cli.check_sla_verb import CHECK_SLA
from sparkscore.cli.command import Command, CommandOutcome
from sparkscore.cli.command_parser import parse_command_arguments
from sparkscore.cli.compare_verb import COMPARE
from sparkscore.cli.config_verb import CONFIG
from sparkscore.cli.doctor_verb import DOCTOR
from sparkscore.cli.evaluate_verb import EVALUATE
from sparkscore.cli.explain_verb import EXPLAIN
from sparkscore.cli.gate_verb import GATE
from sparkscore.cli.init_verb import INIT
from sparkscore.cli.maintain_verb import MAINTAIN
from sparkscore.cli.migrate_verb import MIGRATE
from sparkscore.cli.missing_extras import name_missing_extra
from sparkscore.cli.optimize_model_verb import OPTIMIZE_MODEL
from sparkscore.cli.pack_env_verb import PACK_ENV
from sparkscore.cli.quickstart_verb import QUICKSTART
from sparkscore.cli.rejects_verb import REJECTS
from sparkscore.cli.report_verb import REPORT
from sparkscore.cli.rollback_verb import ROLLBACK
from sparkscore.cli.runs_verb import RUNS
from sparkscore.cli.score_verb import SCORE
from sparkscore.cli.sql_verb import SQL
from sparkscore.cli.stream_verb import STREAM
from sparkscore.cli.termination import choose_exit_code, end_jvm_on_sigterm, name_termination
from sparkscore.cli.ui_verb import UI
from sparkscore.cli.verb_output import (
    create_result_file,
    log_to_stderr,
    print_result_line,
    print_usage,
    report_failure,
    to_result_line,
    write_result_file,
)
from sparkscore.errors import ConfigError
from sparkscore.monitor.screen import open_closed_streams, steady_output
from sparkscore.monitor.visible import visible_text

VERBS: dict[str, Command] = {
    "score": SCORE,
    "backfill": BACKFILL,
    "stream": STREAM,
    "quickstart": QUICKSTART,
    "runs": RUNS,
    "explain": EXPLAIN,
    "sql": SQL,
    "maintain": MAINTAIN,
    "migrate": MIGRATE,
    "rollback": ROLLBACK,
    "gate": GATE,
    "report": REPORT,
    "evaluate": EVALUATE,
    "check_sla": CHECK_SLA,
    "rejects": REJECTS,
    "compare": COMPARE,
    "pack_env": PACK_ENV,
    "optimize_model": OPTIMIZE_MODEL,
    "config": CONFIG,
    "doctor": DOCTOR,
}
"""One per file in `jobs/`, by the same name and with the same flags."""
CONSOLE_VERBS: dict[str, Command] = {"init": INIT, "ui": UI}
"""Verbs that never start Spark and have no file in `jobs/`: of the console alone."""
COMMANDS = {**VERBS, **CONSOLE_VERBS}


def main(verb: str, argv: Sequence[str] | None = None) -> None:
    """Run one verb. Returns on success; exits with the error's code otherwise.

    The result is one JSON line on stdout, and in `--result FILE`; the result of --help is its text.
    """
    _run_and_exit(verb, sys.argv[1:] if argv is None else argv, owns_process=argv is None)


def run_console(argv: Sequence[str] | None = None) -> None:
    """The command `sparkscore <verb> …`."""
    words = list(sys.argv[1:] if argv is None else argv)
    verb = words[0].replace("-", "_") if words else ""  # pack-env, too
    if words == ["--version"]:
        print_usage(f"sparkscore {__version__}", sys.stdout)
        return
    if verb in COMMANDS:
        _run_and_exit(verb, words[1:], owns_process=argv is None)
        return
    if verb == "completion":
        _print_completion(words[1:])
        return
    summaries = {**{name: one.summary for name, one in COMMANDS.items()}, "completion": completion.SUMMARY}
    lines = "\n".join(f"  {name:<16}{summary}" for name, summary in summaries.items())
    is_asked = words[:1] in (["--help"], ["-h"])
    usage = f"usage: sparkscore <verb> [flags]\n\n{lines}\n\n`sparkscore <verb> --help` lists the flags."
    print_usage(usage, sys.stdout if is_asked else sys.stderr)
    if not is_asked:
        sys.exit(ConfigError.exit_code)


def _print_completion(words: Sequence[str]) -> None:
    if {"--help", "-h"} & set(words):
        print_usage(completion.USAGE, sys.stdout)
        return
    try:
        script = completion.build_completion_script(words, COMMANDS)
    except ConfigError as error:
        print_usage(f"sparkscore: {visible_text(str(error))}", sys.stderr)
        sys.exit(ConfigError.exit_code)
    print_result_line(script, sys.stdout)


def _run_and_exit(verb: str, argv: Sequence[str], *, owns_process: bool) -> None:
    if owns_process and "PYSPARK_GATEWAY_PORT" not in os.environ:  # else Spark's JVM gets the signals
        end_jvm_on_sigterm()
    code = choose_exit_code(run_verb(verb, argv))
    if code != 0:
        sys.exit(code)


def run_verb(verb: str, argv: Sequence[str]) -> int:
    """Run one verb and write its result line; the exit code."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    open_closed_streams()
    register_argument_secrets(argv)
    args = argparse.Namespace(debug="--debug" in argv)
    result: Path | None = None
    with steady_output() as stdout:  # libraries print; stdout carries the result and nothing else
        log_to_stderr()
        try:
            result = create_result_file(argv)
            parsed = parse_command_arguments(verb, {**VERBS, **CONSOLE_VERBS}[verb], argv, stdout)
            if parsed is None:
                return 0
            args = parsed
            made = args.execute(args)
            outcome = made if isinstance(made, CommandOutcome) else CommandOutcome(0, made)
        except Exception as error:  # noqa: BLE001  the border: every failure gets its result line and exit code
            outcome = report_failure(name_termination(name_missing_extra(error)), args)
        line = to_result_line(outcome.line)
        if result is not None:
            write_result_file(line, result)
    print_result_line(line, stdout)
    if outcome.then is not None:
        with steady_output():
            outcome.then()
    return outcome.exit_code
