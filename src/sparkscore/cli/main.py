"""The one `main` of every job and of the console.

arguments -> settings -> session -> pipeline -> result line -> exit code
"""

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any, NoReturn, TextIO

import structlog

from sparkscore.errors import (
    MONITORING_BREACH,
    ConfigError,
    SparkscoreError,
    escape_lone_surrogates,
    redact_secrets,
    to_error_dict,
)
from sparkscore.monitor.screen import SteadyStream, discard_stream, open_closed_streams, people_screen, steady_output
from sparkscore.monitor.visible import visible_line, visible_text
from sparkscore.records import MaintenanceReport, RunReport, to_utc_text
from sparkscore.settings import Settings
from sparkscore.settings.layers import iterate_setting_fields, secret_names

_VERB_HELP = {
    "score": "score a Delta table with a registered model and publish the predictions once",
    "quickstart": "load real flights, train and register a model, score three months: a first run in one command",
    "runs": "list a job's runs and attempts; `runs show <id>` shows one of them",
    "maintain": "remove what is too old and what settled runs left; compact and vacuum the job's tables",
    "rollback": "publish an earlier run of an as_of again, as a new revision, and say what readers will see",
    "gate": "`gate suggest <table>`: a suite of expectations from a profile; `gate check <table>`: its verdict",
    "report": "write the HTML page of a run, or with --job the trend over all runs",
    "check_sla": "hold the run events against what sla promises; also finds the run that never started",
    "rejects": "list the rows that runs did not score; `rejects retry <id>` scores those of a run again",
}
_VERB_EXAMPLES = {
    "score": """examples:
  {program} --config conf/quickstart.yaml --as-of 2013-12-31
  {program} --config conf/base.yaml --config conf/prod.yaml --as-of 2013-12-31 --dry-run
  {program} --config conf/quickstart.yaml --as-of 2013-12-31 --sample 10 --output.threshold 0.4
  SPARKSCORE_OUTPUT__TABLE=lake.predictions {program} --config conf/quickstart.yaml --as-of 2013-12-31""",
    "quickstart": """examples:
  {program}
  SPARKSCORE_HOME=/data/sparkscore {program}""",
    "runs": """examples:
  {program} --config conf/quickstart.yaml
  {program} show 1f0c9a2b --config conf/quickstart.yaml""",
    "maintain": """examples:
  {program} --config conf/quickstart.yaml --dry-run
  {program} --config conf/quickstart.yaml --output.retention_days 90""",
    "rollback": """examples:
  {program} --config conf/quickstart.yaml --as-of 2013-12-31 --dry-run
  {program} --config conf/quickstart.yaml --as-of 2013-12-31
  {program} --config conf/quickstart.yaml --as-of 2013-12-31 --to 1
  {program} --config conf/quickstart.yaml --as-of 2013-12-31 --to 1f0c9a2b

The rows are those that the earlier run published, read from the prediction table's own past; no model runs. A later
`score` of the as_of leaves them alone. A scheduler that repeats commands should name the target by --to.""",
    "gate": """examples:
  {program} suggest flights --config conf/quickstart.yaml --suite flights.json
  {program} check flights --config conf/quickstart.yaml --suite conf/expectations/flights.json

`suggest` writes the suite to the file of --suite, or shows it: edit it before you use it. `check` judges the newest
version of the table, shows keys of rows that break a rule (source.keys), never values of source.sensitive, and ends
with 3 where a critical rule is broken.""",
    "report": """examples:
  {program} 1f0c9a2b --config conf/quickstart.yaml
  {program} --job --config conf/quickstart.yaml

`score` writes the page of each run already (monitor.report), under <home>/reports/<job>. This writes it anew from the
job's tables.""",
    "check_sla": """examples:
  {program} --config conf/quickstart.yaml --sla.every_hours 24 --sla.published_within_hours 6
  {program} --config conf/quickstart.yaml --as-of 2013-12-31

Ends with 5 where a promise is broken. Give it a schedule of its own: a run that never started tells nobody.""",
    "rejects": """examples:
  {program} --config conf/quickstart.yaml
  {program} retry 1f0c9a2b --config conf/quickstart.yaml

`retry` is for rows that failed because of the environment: a package that was missing, memory, a service that did not
answer. They are scored with the model version and the source version of their run, and the run's rows, old and new,
are published as the next revision. All predictions of a run come from one model and one source: a model or a source
that was mended is another run, `score --replace`.""",
}
VERBS: tuple[str, ...] = tuple(_VERB_HELP)
"""One per file in `jobs/`, by the same name and with the same flags."""


@dataclass(frozen=True, slots=True)
class _VerbOutcome:
    exit_code: int
    line: str


class _VerbParser(argparse.ArgumentParser):
    """Wrong arguments are an error of the config like any other, with a result line and exit code 2."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.register("action", None, _StoreOnce)

    def error(self, message: str) -> NoReturn:
        raise ConfigError(message, "the flags of --help", f"{self.prog} --help")


class _StoreOnce(argparse.Action):
    """The value of a flag that is given once: argparse would take the last one and drop the others."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        earlier = getattr(namespace, self.dest, None)
        if option is not None and earlier is not None:
            told = f"{earlier} and {values}" if self.dest not in _NOT_SHOWN else "two values that are not shown"
            raise ConfigError(
                f"{option} is given twice: {told}", "each flag once; only --config is repeated", "remove one of them"
            )
        setattr(namespace, self.dest, values)


_NOT_SHOWN = {f"setting:{name}" for name in (*secret_names(Settings), "source.where")}
"""Flags with a secret, or with values of a column that may be in source.sensitive."""


def main(verb: str, argv: Sequence[str] | None = None) -> None:
    """Run one verb. Returns on success; exits with the error's code otherwise.

    The result is one JSON line on stdout, and in `--result FILE`.
    """
    code = run_verb(verb, sys.argv[1:] if argv is None else argv)
    if code != 0:
        sys.exit(code)


def run_console(argv: Sequence[str] | None = None) -> None:
    """The command `sparkscore <verb> …`."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in VERBS:
        main(words[0], words[1:])
        return
    lines = "\n".join(f"  {verb:<12}{text}" for verb, text in _VERB_HELP.items())
    usage = f"usage: sparkscore <verb> [flags]\n\n{lines}\n\n`sparkscore <verb> --help` tells the flags."
    print(usage, file=SteadyStream(sys.stderr))
    if words[:1] not in (["--help"], ["-h"]):
        sys.exit(ConfigError.exit_code)


def run_verb(verb: str, argv: Sequence[str]) -> int:
    """Run one verb and write its result line; the exit code."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    open_closed_streams()
    args = argparse.Namespace(debug="--debug" in argv)
    result: Path | None = None
    with steady_output() as stdout:  # libraries print; stdout carries the result and nothing else
        _log_to_stderr()
        try:
            result = _create_result_file(argv)
            parsed = _parse_verb_arguments(verb, argv)
            if parsed is None:
                return 0
            args = parsed
            made = _VERB_HANDLERS[verb](args)
            outcome = made if isinstance(made, _VerbOutcome) else _VerbOutcome(0, made)
        except Exception as error:  # noqa: BLE001  the border: every failure gets its result line and exit code
            outcome = _report_failure(error, args)
        line = _one_line(outcome.line)
        if result is not None:
            _write_result_file(line, result)
    _print_result_line(line, stdout)
    return outcome.exit_code


def _one_line(line: str) -> str:
    """The result as strict JSON in ASCII: every stream can write it, every reader takes it for one line."""
    return json.dumps(_to_strict_json(json.loads(line, parse_constant=lambda _: None)), allow_nan=False)


def _to_strict_json(value: Any) -> Any:
    """The value without halves of characters, which JSON can write and hardly any reader takes."""
    if isinstance(value, str):
        return escape_lone_surrogates(value)
    if isinstance(value, dict):
        return {_to_strict_json(name): _to_strict_json(one) for name, one in value.items()}
    return [_to_strict_json(one) for one in value] if isinstance(value, list) else value


def _write_result_file(line: str, file: Path) -> None:
    """Write the result to its file. What is done is done: a disk that is full by now does not change how it ended."""
    try:
        file.write_text(line + "\n", encoding="utf-8")
    except OSError as error:
        print(f"sparkscore: the result is not in {visible_text(str(file))}: {error.strerror}", file=sys.stderr)


def _print_result_line(line: str, stdout: TextIO | None) -> None:
    try:
        print(line, file=stdout, flush=True)
    except (OSError, ValueError):  # closed, full, or whoever reads it has ended: under spark-submit the JVM, by SIGTERM
        discard_stream(stdout)


def _report_failure(error: Exception, args: argparse.Namespace) -> _VerbOutcome:
    known = error if isinstance(error, SparkscoreError) else None
    report = known.report if known is not None and isinstance(known.report, RunReport | MaintenanceReport) else None
    if report is None:
        code = known.exit_code if known is not None else SparkscoreError.exit_code
        report = RunReport(
            getattr(args, "job", ""), getattr(args, "as_of", None), "failed", code, error=to_error_dict(error)
        )
    if args.debug:
        print(visible_text(redact_secrets(traceback.format_exc())), file=sys.stderr)
    bug = f"{type(error).__name__}: {_first_error_lines(error)}\n  do: run it again with --debug for the stack trace"
    print(f"sparkscore: {visible_text(redact_secrets(bug if known is None else str(known)))}", file=sys.stderr)
    return _VerbOutcome(report.exit_code, report.to_json())


def _first_error_lines(error: Exception) -> str:
    return "\n".join(str(error).splitlines()[:3])[:500]


def _create_result_file(argv: Sequence[str]) -> Path | None:
    """The file of `--result`, made before anything else: a run never ends without a place for its result.

    Raises:  ConfigError when it cannot be written.
    """
    given = [after for word, after in pairwise([*argv, ""]) if word == "--result"]
    given += [word.removeprefix("--result=") for word in argv if word.startswith("--result=")]
    if not given or not given[-1]:
        return None
    return _write_flag_file("--result", given[-1], "")


def _write_flag_file(flag: str, path: str, text: str) -> Path:
    """The file of a flag, with this text in it.

    Raises:  ConfigError when it cannot be written.
    """
    file = Path(path)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{flag} {file}: {error.strerror}", "a file that can be written", "give another path"
        ) from error
    return file


def _log_to_stderr() -> None:
    def redact(_: Any, __: str, event: Any) -> Any:
        return {visible_line(name): _show_log_value(value) for name, value in event.items()}

    structlog.configure(
        processors=[
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
    return visible_line(redact_secrets(value)) if isinstance(value, str) else value


def _parse_verb_arguments(verb: str, argv: Sequence[str]) -> Any:
    """The arguments; None after --help."""
    unfilled = [word for word in argv if "{{" in word]
    if unfilled:
        raise ConfigError(
            f"the argument {unfilled[0]} still holds a template", "a value", "let the scheduler fill it in"
        )
    try:
        return _build_verb_parser(verb).parse_args(list(argv))
    except SystemExit:
        return None


def _build_verb_parser(verb: str) -> _VerbParser:
    program = f"sparkscore {verb}"
    parser = _VerbParser(
        prog=program,
        description=_VERB_HELP[verb],
        epilog=_VERB_EXAMPLES[verb].format(program=program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--config",
        action="append",
        default=[],
        metavar="FILE",
        help="a YAML file of the job; later ones override, merged deeply",
    )
    parser.add_argument("--result", metavar="FILE", help="write the result line to this file, too")
    parser.add_argument("--debug", action="store_true", help="show the stack trace of an error")
    if verb == "score":
        parser.add_argument(
            "--as-of", required=True, metavar="TIME", help="the logical time that the run stands for, UTC: 2013-12-31"
        )
        shown = parser.add_mutually_exclusive_group()
        shown.add_argument("--dry-run", action="store_true", help="show the plan; read nothing big, write nothing")
        shown.add_argument("--sample", type=int, metavar="N", help="score N rows and show them; write nothing")
        parser.add_argument("--replace", action="store_true", help="supersede what is published for this as_of")
        parser.add_argument(
            "--force", action="store_true", help="publish again although the table changed behind our back"
        )
        parser.add_argument(
            "--restart", action="store_true", help="do not keep the pins of an attempt that did not end"
        )
    if verb == "maintain":
        parser.add_argument("--dry-run", action="store_true", help="show what would be done; change nothing")
    if verb == "runs":
        parser.add_argument("words", nargs="*", metavar="show ID", help="`show <run_id>`: the events of one run")
    if verb == "report":
        parser.add_argument("run", nargs="?", metavar="ID", help="a run_id, or its beginning: 8 characters at least")
        parser.add_argument(
            "--job", dest="of_job", action="store_true", help="the page of the job: what changes over runs"
        )
    if verb == "check_sla":
        parser.add_argument(
            "--as-of", metavar="TIME", help="look at this as_of alone; default: the newest, and missing ones"
        )
    if verb == "gate":
        parser.add_argument("what", metavar="suggest|check", help="make a suite, or hold one against the table")
        parser.add_argument("table", metavar="TABLE", help="a plain name, a catalog name, or a path")
        parser.add_argument("--suite", metavar="FILE", help="the suite: to write for `suggest`, to read for `check`")
    if verb == "rejects":
        parser.add_argument(
            "words",
            nargs="*",
            metavar="retry ID",
            help="`retry <run_id>`: score the rejects of the run that readers see",
        )
    if verb == "rollback":
        parser.add_argument(
            "--as-of", required=True, metavar="TIME", help="the as_of whose rows go back, UTC: 2013-12-31"
        )
        parser.add_argument(
            "--to",
            metavar="RUN",
            help="a revision, or a run_id or its beginning; default: the publication before the one that readers see",
        )
        parser.add_argument("--dry-run", action="store_true", help="show what readers will see; write nothing")
    settings = parser.add_argument_group("settings", "the same as in the config file; lists and mappings as YAML")
    for name, info in iterate_setting_fields(Settings):
        if verb == "report" and name == "job":  # there --job asks for the page of the job that the config names
            continue
        settings.add_argument(
            f"--{name}", dest=f"setting:{name}", metavar="VALUE", help=(info.description or "").replace("%", "%%")
        )
    return parser


def _load_job_settings(args: argparse.Namespace, files: Sequence[str | Path]) -> Settings:
    flags = {
        name.removeprefix("setting:"): value
        for name, value in vars(args).items()
        if name.startswith("setting:") and value is not None
    }
    if not files and not flags:
        raise ConfigError("no --config", "a YAML file of the job", "--config conf/quickstart.yaml")
    settings = Settings.load(*files, flags=flags)
    args.job = settings.job
    return settings


def _import_mlflow_in_thread() -> Thread:
    """Import what the run needs anyway while Spark starts in its JVM: MLflow takes 2 s.

    To be waited for: a module that two threads import at once may be seen by one of them half made.
    """

    def imports() -> None:
        from sparkscore.gate.gx.gx_output import suppress_gx_output

        with suppress(ImportError), suppress_gx_output():  # whoever needs it imports it again, and tells what is wrong
            import_module("mlflow.store.db.utils")

    thread = Thread(target=imports, daemon=True)
    thread.start()
    return thread


def _execute_score(args: argparse.Namespace) -> _VerbOutcome:
    settings = _load_job_settings(args, args.config)
    from sparkscore.lifecycle import Wishes
    from sparkscore.monitor.formatting import describe_run, rows_table
    from sparkscore.monitor.progress_reporter import console_progress
    from sparkscore.pipelines.score import score
    from sparkscore.pipelines.scoring.plan_preview import preview_plan, sample_predictions
    from sparkscore.spark.session import get_job_session

    screen, wishes = people_screen(), Wishes(args.replace, args.force, args.restart)
    imports = _import_mlflow_in_thread()
    spark = get_job_session(f"sparkscore score {settings.job}")
    imports.join()
    if args.dry_run:
        report, lines = preview_plan(spark, settings, as_of=args.as_of, wishes=wishes)
        screen.print(rows_table(("plan", ""), lines), soft_wrap=True)
    elif args.sample is not None:
        report, rows = sample_predictions(spark, settings, as_of=args.as_of, rows=args.sample)
        screen.print(rows_table(rows[0].__fields__ if rows else (), rows))
    else:
        report = score(spark, settings, as_of=args.as_of, wishes=wishes, watch=console_progress(screen))
    screen.print(describe_run(report), soft_wrap=True)
    return _VerbOutcome(report.exit_code, report.to_json())


def _execute_quickstart(args: argparse.Namespace) -> str:
    from sparkscore.demo import quickstart

    settings = _load_job_settings(args, args.config or [quickstart.config_file()])
    return quickstart.run_quickstart(settings, people_screen()).to_json()


def _execute_runs(args: argparse.Namespace) -> str:
    settings, run = _load_job_settings(args, args.config), _parse_run_argument("runs", "show", args.words)
    from sparkscore.monitor.formatting import events_table
    from sparkscore.pipelines.runs import list_runs
    from sparkscore.spark.session import get_job_session

    spark = get_job_session(f"sparkscore runs {settings.job}")
    found = list_runs(spark, settings, run=run)
    people_screen().print(events_table(found))
    return json.dumps(
        {"schema": 1, "job": settings.job, "events": [asdict(event) for event in found]}, default=to_utc_text
    )


def _execute_maintain(args: argparse.Namespace) -> str:
    settings = _load_job_settings(args, args.config)
    from sparkscore.monitor.formatting import maintenance_table
    from sparkscore.pipelines.maintain import maintain
    from sparkscore.spark.session import get_job_session

    report = maintain(get_job_session(f"sparkscore maintain {settings.job}"), settings, dry_run=args.dry_run)
    people_screen().print(maintenance_table(report))
    return report.to_json()


def _parse_run_argument(verb: str, word: str, words: Sequence[str]) -> str | None:
    """The run of `<verb> <word> <id>`; None for the verb alone."""
    if words and (words[0] != word or len(words) != 2):
        raise ConfigError(f"{verb} {' '.join(words)}", f"`{verb}` or `{verb} {word} <id>`", f"sparkscore {verb} --help")
    return words[1] if words else None


def _execute_rollback(args: argparse.Namespace) -> _VerbOutcome:
    settings = _load_job_settings(args, args.config)
    from sparkscore.monitor.formatting import describe_run, rows_table
    from sparkscore.pipelines.rollback import rollback
    from sparkscore.spark.session import get_job_session

    spark, screen = get_job_session(f"sparkscore rollback {settings.job}"), people_screen()
    report, lines = rollback(spark, settings, as_of=args.as_of, to=args.to, dry_run=args.dry_run)
    if lines:
        screen.print(rows_table(("readers see", "before", "after"), lines), soft_wrap=True)
    screen.print(describe_run(report), soft_wrap=True)
    return _VerbOutcome(report.exit_code, report.to_json())


def _execute_gate(args: argparse.Namespace) -> str:
    if args.what not in ("suggest", "check") or (args.what == "check" and not args.suite):
        raise ConfigError(
            f"gate {args.what} {args.table}",
            "`gate suggest <table>`, or `gate check <table> --suite FILE`",
            "sparkscore gate --help",
        )
    settings = _load_job_settings(args, args.config)
    from sparkscore.gate.verdicts import require_passed_verdict
    from sparkscore.monitor.formatting import suite_check_table
    from sparkscore.pipelines.gates import check_table_with_suite, suggest_suite_for_table
    from sparkscore.spark.session import get_job_session

    spark, screen = get_job_session(f"sparkscore gate {settings.job}"), people_screen()
    if args.what == "suggest":
        suite = suggest_suite_for_table(spark, settings, table=args.table)
        text = json.dumps(suite, indent=2, ensure_ascii=False)
        if args.suite:
            _write_flag_file("--suite", args.suite, text + "\n")
        screen.print(f"{len(suite['expectations'])} rules in {args.suite}" if args.suite else text)
        return json.dumps({"schema": 1, "job": settings.job, "suite": suite}, ensure_ascii=False)
    verdict, lines = check_table_with_suite(spark, settings, table=args.table, suite=args.suite)
    screen.print(suite_check_table([(line.verdict, line.share, line.rejects, line.examples) for line in lines]))
    require_passed_verdict(verdict)
    return json.dumps({"schema": 1, "job": settings.job, "verdict": asdict(verdict)}, ensure_ascii=False)


def _execute_rejects(args: argparse.Namespace) -> "str | _VerbOutcome":
    settings, run = _load_job_settings(args, args.config), _parse_run_argument("rejects", "retry", args.words)
    from sparkscore.monitor.formatting import describe_run, rejects_table
    from sparkscore.monitor.progress_reporter import console_progress
    from sparkscore.pipelines.rejects import list_rejects, retry_rejects
    from sparkscore.spark.session import get_job_session

    spark, screen = get_job_session(f"sparkscore rejects {settings.job}"), people_screen()
    if run is not None:
        report = retry_rejects(spark, settings, run=run, watch=console_progress(screen))
        screen.print(describe_run(report), soft_wrap=True)
        return _VerbOutcome(report.exit_code, report.to_json())
    found = list_rejects(spark, settings)
    screen.print(rejects_table(found))
    return json.dumps(
        {"schema": 1, "job": settings.job, "rejects": [asdict(one) for one in found]}, default=to_utc_text
    )


def _execute_report(args: argparse.Namespace) -> str:
    if (args.run is None) != args.of_job:
        raise ConfigError(
            "report without a run, or with a run and --job", "`report <run_id>` or `report --job`", "see --help"
        )
    settings = _load_job_settings(args, args.config)
    from sparkscore.pipelines.report import write_job_report, write_run_report
    from sparkscore.spark.session import get_job_session

    spark = get_job_session(f"sparkscore report {settings.job}")
    where = write_job_report(spark, settings) if args.of_job else write_run_report(spark, settings, run=args.run)
    people_screen().print(f"the page is {where}", soft_wrap=True)
    return json.dumps({"schema": 1, "job": settings.job, "report": where})


def _execute_check_sla(args: argparse.Namespace) -> _VerbOutcome:
    settings = _load_job_settings(args, args.config)
    from sparkscore.monitor.formatting import sla_table
    from sparkscore.pipelines.check_sla import check_sla
    from sparkscore.spark.session import get_job_session

    rules = check_sla(get_job_session(f"sparkscore check_sla {settings.job}"), settings, as_of=args.as_of)
    people_screen().print(sla_table(rules))
    broken = [rule.rule for rule in rules if not rule.kept]
    line = json.dumps({"schema": 1, "job": settings.job, "broken": broken, "rules": [asdict(rule) for rule in rules]})
    return _VerbOutcome(MONITORING_BREACH if broken else 0, line)


_VERB_HANDLERS: Mapping[str, Callable[[argparse.Namespace], "str | _VerbOutcome"]] = {
    "score": _execute_score,
    "quickstart": _execute_quickstart,
    "runs": _execute_runs,
    "maintain": _execute_maintain,
    "rollback": _execute_rollback,
    "rejects": _execute_rejects,
    "gate": _execute_gate,
    "report": _execute_report,
    "check_sla": _execute_check_sla,
}
