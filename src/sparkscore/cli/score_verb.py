"""`score`: score a Delta table and publish the predictions once."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from sparkscore.cli.command import Command, CommandOutcome
from sparkscore.cli.setting_flags import add_as_of_argument, load_job_settings
from sparkscore.cli.verb_session import answer_with_session, start_session_and_mlflow
from sparkscore.errors import ConfigError
from sparkscore.monitor.screen import people_screen
from sparkscore.records import RunReport
from sparkscore.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def _add_score_arguments(parser: ArgumentParser) -> None:
    add_as_of_argument(parser, "the logical time of the run, UTC: 2013-12-31")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--dry-run", action="store_true", help="show the plan; read only metadata, write nothing")
    shown.add_argument(
        "--shadow",
        action="store_true",
        help="score beside production into <table>_shadow, and compare; production stays as it is",
    )
    shown.add_argument("--sample", type=int, metavar="N", help="score N rows and show them; write nothing")
    parser.add_argument("--replace", action="store_true", help="replace what is published for this as_of")
    parser.add_argument(
        "--force", action="store_true", help="publish again although someone else changed the published rows"
    )
    parser.add_argument(
        "--restart", action="store_true", help="pin source and model anew after an attempt that did not finish"
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="with source.read: changes, score all rows again; later runs go on from there",
    )


def _execute_score(args: Namespace) -> CommandOutcome:
    settings = load_job_settings(args, args.config)
    if args.shadow:
        return _execute_shadow(args, settings)
    from sparkscore.monitor.formatting import describe_run, rows_table
    from sparkscore.monitor.progress_reporter import console_progress
    from sparkscore.pipelines.score import score
    from sparkscore.pipelines.scoring.plan_preview import preview_plan, sample_predictions

    screen, asked = people_screen(), {name: getattr(args, name) for name in ("replace", "force", "restart", "full")}

    def answer(spark: "SparkSession | None") -> RunReport:
        if args.dry_run:
            report, lines = preview_plan(spark, settings, as_of=args.as_of, **asked)
            screen.print(rows_table(("plan", ""), lines), soft_wrap=True)
        elif spark is not None and args.sample is not None:
            report, rows = sample_predictions(spark, settings, as_of=args.as_of, rows=args.sample)
            screen.print(rows_table(rows[0].__fields__ if rows else (), rows))
        else:
            report = score(spark, settings, as_of=args.as_of, **asked, progress=console_progress(screen))
        return report

    is_work = args.sample is not None or any(asked.values())
    report = answer_with_session(
        f"sparkscore score {settings.job}", answer, start=start_session_and_mlflow, is_sure_to_need_it=is_work
    )
    screen.print(describe_run(report), soft_wrap=True)
    return CommandOutcome(report.exit_code, report.to_json())


def _execute_shadow(args: Namespace, settings: Settings) -> CommandOutcome:
    idle = [f"--{name}" for name in ("replace", "force", "full") if getattr(args, name)]
    if idle:
        raise ConfigError(
            f"--shadow with {idle[0]}", "--shadow alone, or with --restart", "a shadow is scored anew each time"
        )
    from sparkscore.monitor.comparison_table import shadow_table
    from sparkscore.monitor.progress_reporter import console_progress
    from sparkscore.pipelines.score_shadow import score_shadow

    screen, spark = people_screen(), start_session_and_mlflow(f"sparkscore score {settings.job} --shadow")
    report = score_shadow(spark, settings, as_of=args.as_of, restart=args.restart, progress=console_progress(screen))
    screen.print(shadow_table(report))
    if report.report is not None:
        screen.print(f"the report is {report.report}", soft_wrap=True)
    return CommandOutcome(report.exit_code, report.to_json())


SCORE = Command(
    summary="score a Delta table with a registered model and publish the predictions once",
    examples="""examples:
  {program} --config conf/quickstart.yaml --as-of 2013-12-31
  {program} --config conf/base.yaml --config conf/prod.yaml --as-of 2013-12-31 --dry-run
  {program} --config conf/quickstart.yaml --as-of 2013-12-31 --sample 10 --output.threshold 0.4
  {program} --config conf/job.yaml --as-of 2014-01-03 --full
  {program} --config conf/quickstart.yaml --as-of 2013-12-31 --shadow --model.uri models:/flight-delay/2
  SPARKSCORE_OUTPUT__TABLE=lake.predictions {program} --config conf/quickstart.yaml --as-of 2013-12-31""",
    add_arguments=_add_score_arguments,
    execute=_execute_score,
)
