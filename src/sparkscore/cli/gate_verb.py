"""`gate suggest` and `gate check`: suggest a suite of expectations for a table, or judge a table by one."""

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from sparkscore.cli.command import Command
from sparkscore.cli.setting_flags import load_job_settings, setting_values
from sparkscore.cli.verb_output import write_flag_file
from sparkscore.errors import ConfigError
from sparkscore.monitor.screen import people_screen
from sparkscore.settings import Settings, TableSettings


def _add_suite_flag(parser: ArgumentParser) -> None:
    parser.add_argument("--suite", metavar="FILE", help="the file of the suite: `suggest` writes it, `check` reads it")


def _add_suggest_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", help="a plain name, a catalog name, or a path")
    parser.add_argument("--suite", metavar="FILE", help="write the suite to this file; default: print it")


def _add_check_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", help="a plain name, a catalog name, or a path")
    parser.add_argument("--suite", metavar="FILE", help="the suite to judge the table by; required")


def _load_table_settings(args: Namespace) -> Settings:
    """The settings of the job that --config names; without it, those that a table needs."""
    if args.config:
        return load_job_settings(args, args.config)
    settings = TableSettings.load(flags=setting_values(args))
    args.job = settings.job
    return settings


def _execute_suggest(args: Namespace) -> str:
    settings = _load_table_settings(args)
    from sparkscore.pipelines.gates import suggest_suite_for_table
    from sparkscore.spark.session import get_job_session

    spark = get_job_session(f"sparkscore gate {settings.job}".rstrip())
    suite = suggest_suite_for_table(spark, settings, table=args.table)
    text = json.dumps(suite, indent=2, ensure_ascii=False)
    if args.suite:
        write_flag_file("--suite", args.suite, text + "\n")
    people_screen().print(f"{len(suite['expectations'])} rules in {args.suite}" if args.suite else text)
    return json.dumps({"schema": 1, "job": settings.job, "suite": suite}, ensure_ascii=False)


def _execute_check(args: Namespace) -> str:
    if not args.suite:
        raise ConfigError(
            f"gate check {args.table} without --suite",
            "`gate check <table> --suite FILE`",
            "sparkscore gate check --help",
        )
    settings = _load_table_settings(args)
    from sparkscore.gate.verdicts import require_passed_verdict
    from sparkscore.monitor.formatting import suite_check_table
    from sparkscore.pipelines.gates import check_table_with_suite
    from sparkscore.spark.session import get_job_session

    spark = get_job_session(f"sparkscore gate {settings.job}".rstrip())
    verdict, lines = check_table_with_suite(spark, settings, table=args.table, suite=args.suite)
    people_screen().print(suite_check_table([(one.verdict, one.share, one.rejects, one.examples) for one in lines]))
    require_passed_verdict(verdict)
    return json.dumps({"schema": 1, "job": settings.job, "verdict": asdict(verdict)}, ensure_ascii=False)


_AFTER_A_SUGGESTION = "`suggest` writes the suite to the file of --suite, or prints it: edit it before you use it."
_AFTER_A_CHECK = """\
`check` judges the newest version of the table. It shows the keys (source.keys) of rows that break a rule, never values
of source.sensitive, and ends with 3 if a critical rule is broken."""
_WITHOUT_A_JOB = """\
--config is not required. A plain table name means a table under --home. --source.keys names the columns that identify a
row; values of the columns in --source.sensitive are not shown. Without these flags no column is a key or sensitive."""

GATE = Command(
    summary="`gate suggest <table>`: a suite of expectations from a profile; `gate check <table>`: its verdict",
    examples=f"""examples:
  {{program}} suggest flights --suite flights.json
  {{program}} check flights --config conf/quickstart.yaml --suite conf/expectations/flights.json

{_AFTER_A_SUGGESTION}

{_AFTER_A_CHECK}

{_WITHOUT_A_JOB}""",
    add_arguments=_add_suite_flag,
    execute=None,
    subcommands={
        "suggest": Command(
            summary="make a suite of expectations from a profile of the table",
            examples=f"""examples:
  {{program}} flights
  {{program}} /data/flights --source.sensitive '[name, pay]' --suite flights.json
  {{program}} flights --config conf/quickstart.yaml --suite flights.json

{_AFTER_A_SUGGESTION}

{_WITHOUT_A_JOB}""",
            add_arguments=_add_suggest_arguments,
            execute=_execute_suggest,
        ),
        "check": Command(
            summary="judge the table by a suite of expectations",
            examples=f"""examples:
  {{program}} flights --config conf/quickstart.yaml --suite conf/expectations/flights.json
  {{program}} flights --suite conf/expectations/flights.json --source.keys '[flight_id]'

{_AFTER_A_CHECK}

{_WITHOUT_A_JOB}""",
            add_arguments=_add_check_arguments,
            execute=_execute_check,
        ),
    },
)
