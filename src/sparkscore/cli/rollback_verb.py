"""`rollback`: publish an earlier run of an as_of again."""

from argparse import ArgumentParser, Namespace

from sparkscore.cli.command import Command, CommandOutcome
from sparkscore.cli.setting_flags import add_as_of_argument, load_job_settings
from sparkscore.monitor.screen import people_screen


def _add_rollback_arguments(parser: ArgumentParser) -> None:
    add_as_of_argument(parser, "the as_of to roll back, UTC: 2013-12-31")
    parser.add_argument(
        "--to",
        metavar="RUN",
        help="a revision, or a run_id or its beginning; default: the publication before the current one",
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would change; write nothing")


def _execute_rollback(args: Namespace) -> CommandOutcome:
    settings = load_job_settings(args, args.config)
    from sparkscore.monitor.formatting import describe_run, rows_table
    from sparkscore.pipelines.rollback import rollback
    from sparkscore.spark.session import get_job_session

    spark, screen = get_job_session(f"sparkscore rollback {settings.job}"), people_screen()
    report, lines = rollback(spark, settings, as_of=args.as_of, to=args.to, dry_run=args.dry_run)
    if lines:
        screen.print(rows_table(("visible", "before", "after"), lines), soft_wrap=True)
    screen.print(describe_run(report), soft_wrap=True)
    return CommandOutcome(report.exit_code, report.to_json())


ROLLBACK = Command(
    summary="publish an earlier run of an as_of again, as a new revision, and show what changes",
    examples="""examples:
  {program} --config conf/quickstart.yaml --as-of 2013-12-31 --dry-run
  {program} --config conf/quickstart.yaml --as-of 2013-12-31
  {program} --config conf/quickstart.yaml --as-of 2013-12-31 --to 1
  {program} --config conf/quickstart.yaml --as-of 2013-12-31 --to 1f0c9a2b

The rows are those that the earlier run published, read from an older version of the prediction table; no model runs.
A later `score` of the as_of leaves them alone. A scheduler that repeats commands should name the target with --to.""",
    add_arguments=_add_rollback_arguments,
    execute=_execute_rollback,
)
