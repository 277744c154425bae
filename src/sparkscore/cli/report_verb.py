"""`report`: write the report of a run, or of a job."""

import json
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from sparkscore.cli.command import Command
from sparkscore.cli.setting_flags import load_job_settings
from sparkscore.cli.verb_session import answer_with_session
from sparkscore.errors import ConfigError
from sparkscore.monitor.screen import people_screen

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def _add_report_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", metavar="ID", help="a run_id, or its first 8 characters or more")
    parser.add_argument(
        "--job", dest="of_job", action="store_true", help="the report of the job: the trend over its runs"
    )


def _execute_report(args: Namespace) -> str:
    if (args.run is None) != args.of_job:
        raise ConfigError("`report` needs either a run or --job", "`report <run_id>` or `report --job`", "see --help")
    settings = load_job_settings(args, args.config)
    from sparkscore.pipelines.report import write_job_report, write_run_report

    def answer(spark: "SparkSession | None") -> str:
        return write_job_report(spark, settings) if args.of_job else write_run_report(spark, settings, run=args.run)

    where = answer_with_session(f"sparkscore report {settings.job}", answer)
    people_screen().print(f"the report is {where}", soft_wrap=True)
    return json.dumps({"schema": 1, "job": settings.job, "report": where})


REPORT = Command(
    summary="write the HTML report of a run, or with --job the trend over all runs",
    examples="""examples:
  {program} 1f0c9a2b --config conf/quickstart.yaml
  {program} --job --config conf/quickstart.yaml

`score` already writes the report of each run (monitor.report), under <home>/reports/<job>. This command writes it again
from the job's tables.""",
    add_arguments=_add_report_arguments,
    execute=_execute_report,
    hidden_settings=frozenset({"job"}),  # here --job asks for the report of the job that the config names
)
