"""`sql`: queries for analysts over the tables of a job, in the dialect of their engine."""

import json
from argparse import ArgumentParser, Namespace

from sparkscore.cli.command import Command
from sparkscore.cli.setting_flags import load_job_settings
from sparkscore.cli.verb_output import write_flag_file
from sparkscore.errors import ConfigError
from sparkscore.monitor.screen import people_screen

_NAMES = {
    "latest": "the newest prediction of every key",
    "history": "every prediction of every key, and the one before it",
    "changes": "what differs between two as_ofs",
    "movers": "the keys whose prediction changed most between two as_ofs",
    "quality": "how good each model version was; needs `evaluate`",
    "runs": "rows read, scored and rejected by each publication",
    "rejects": "rejected rows of each run, by reason",
}
_DIALECTS = ("spark", "databricks", "duckdb", "trino")
_COMPARED = ("changes", "movers")


def _add_query(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help=", ".join(_NAMES))
    parser.add_argument("--dialect", metavar="NAME", help=f"{', '.join(_DIALECTS)}; default: spark")
    parser.add_argument(
        "--from", dest="first", metavar="TIME", help="of two as_ofs the earlier; default: the one before"
    )
    parser.add_argument("--to", dest="last", metavar="TIME", help="of two as_ofs the later; default: the newest")
    parser.add_argument("--file", metavar="FILE", help="also write the query to this file")


def _execute_sql(args: Namespace) -> str:
    settings = load_job_settings(args, args.config)
    from sparkscore.publish.analyst_queries import build_query

    if args.name not in _COMPARED and (args.first is not None or args.last is not None):
        raise ConfigError(
            f"--from or --to with {args.name}", "a query that compares two as_ofs: changes or movers", "leave them out"
        )
    dialect = args.dialect or _DIALECTS[0]
    text = build_query(settings, args.name, dialect=dialect, first=args.first, last=args.last)
    if args.file is not None:
        write_flag_file("--file", args.file, text)
    people_screen().print(text, soft_wrap=True)
    return json.dumps({"schema": 1, "job": settings.job, "name": args.name, "dialect": dialect, "sql": text})


SQL = Command(
    summary="print a query for analysts: latest, history, changes, movers, quality, runs, rejects",
    examples="queries:\n"
    + "\n".join(f"  {name:<10}{meaning}" for name, meaning in _NAMES.items())
    + """

examples:
  {program} latest --config conf/quickstart.yaml
  {program} changes --config job.yaml --dialect duckdb --from 2013-12-30 --to 2013-12-31
  {program} movers --config job.yaml --dialect trino --file movers.sql

Nothing is run: the query is for your engine. DuckDB and Trino know a table by the name that it is registered under:
docs/readers.md.""",
    add_arguments=_add_query,
    execute=_execute_sql,
)
