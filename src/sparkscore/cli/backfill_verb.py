"""`backfill`: publish the as_ofs of a range that are not published yet."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from sparkscore.cli.command import Command, CommandOutcome
from sparkscore.cli.setting_flags import load_job_settings
from sparkscore.cli.verb_session import answer_with_session, start_session_and_mlflow
from sparkscore.errors import SparkscoreError
from sparkscore.monitor.screen import people_screen
from sparkscore.records import AsOfInterval, BackfillReport, parse_as_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def _add_backfill_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--from", dest="first", type=_check_time, required=True, metavar="TIME", help="the first as_of, UTC: 2013-01-01"
    )
    parser.add_argument(
        "--to",
        dest="last",
        type=_check_time,
        required=True,
        metavar="TIME",
        help="the last as_of, UTC, included where the steps meet it: a date is its midnight",
    )
    parser.add_argument(
        "--every",
        type=_check_interval,
        metavar="INTERVAL",
        help="how far the as_ofs are apart: 15min, 1h, 1d (the default), 1w, 1mo, or an ISO 8601 duration (PT6H)",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--source-as-it-was",
        action="store_true",
        help="score the Delta version that was the newest at each as_of, as source.version: as_of does",
    )
    source.add_argument("--source-as-it-is", action="store_true", help="score the newest version for all as_ofs")
    model = parser.add_mutually_exclusive_group()
    model.add_argument(
        "--model-as-it-was",
        action="store_true",
        help="the model version of the publication before each as_of (the default for a model.uri with an alias)",
    )
    model.add_argument("--model-as-it-is", action="store_true", help="the version that the alias names now")
    model.add_argument("--model-version", metavar="N", help="this version of the model, for all as_ofs")
    parser.add_argument("--parallel", type=int, metavar="N", help="so many as_ofs at once; default: 1, in order")
    parser.add_argument(
        "--skip-missing", action="store_true", help="leave out as_ofs of which the source has no version left"
    )
    parser.add_argument("--fail-fast", action="store_true", help="begin no further as_of after one that failed")
    parser.add_argument("--dry-run", action="store_true", help="show the plan; write nothing")


def _check_time(text: str) -> str:
    parse_as_of(text)
    return text


def _check_interval(text: str) -> str:
    AsOfInterval.from_text(text)
    return text


def _execute_backfill(args: Namespace) -> CommandOutcome:
    settings = load_job_settings(args, args.config)
    from sparkscore.monitor.backfill_texts import backfill_table, describe_backfill, describe_backfill_progress
    from sparkscore.pipelines.backfill import backfill

    screen = people_screen()

    def answer(spark: "SparkSession | None") -> BackfillReport:
        return backfill(
            spark,
            settings,
            first=args.first,
            last=args.last,
            every=args.every or "1d",
            source="as_it_was" if args.source_as_it_was else "as_it_is" if args.source_as_it_is else None,
            model="as_it_is" if args.model_as_it_is else "as_it_was",
            model_version=args.model_version,
            parallel=1 if args.parallel is None else args.parallel,
            skip_missing=args.skip_missing,
            fail_fast=args.fail_fast,
            dry_run=args.dry_run,
            progress=lambda report, run: screen.print(describe_backfill_progress(report, run), soft_wrap=True),
        )

    try:
        report = answer_with_session(f"sparkscore backfill {settings.job}", answer, start=start_session_and_mlflow)
    except SparkscoreError as error:
        if isinstance(error.report, BackfillReport) and error.report.runs:
            screen.print(backfill_table(error.report))
        raise
    screen.print(backfill_table(report))
    screen.print(describe_backfill(report), soft_wrap=True)
    return CommandOutcome(report.exit_code, report.to_json())


BACKFILL = Command(
    summary="publish a range of as_ofs, each once, with the source and the model of then or of now",
    examples="""examples:
  {program} --config job.yaml --from 2013-01-01 --to 2013-01-31 --source-as-it-was --dry-run
  {program} --config job.yaml --from 2013-01-01 --to 2013-01-31 --source-as-it-was
  {program} --config job.yaml --from 2013-01-01T00:00 --to 2013-01-01T23:00 --every 1h --source-as-it-is --parallel 4
  {program} --config job.yaml --from 2012-01-01 --to 2012-12-01 --every 1mo --source-as-it-is --model-version 3

The range is closed: --from and --to are both as_ofs, --to where the steps meet it. All times are UTC.
As_ofs that are published are skipped. A call that was killed goes on with the next one: the same command.
Whether the source is scored as it was or as it is has to be said, by a flag or by source.version in the config.
A failed as_of stops no other one (--fail-fast does). The exit code is that of the most serious failure: 1, 2, 4, 3,
then 75 (the same command may end well later), then 5.""",
    add_arguments=_add_backfill_arguments,
    execute=_execute_backfill,
)
