"""`rejects`: the rows that runs did not score; `rejects retry`: score those of a run again."""

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from sparkscore.cli.command import Command, CommandOutcome
from sparkscore.cli.setting_flags import load_job_settings
from sparkscore.monitor.screen import people_screen
from sparkscore.records import to_utc_text


def _add_retried_run(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run_id of a current run, or its first 8 characters or more")


def _execute_rejects(args: Namespace) -> str:
    settings = load_job_settings(args, args.config)
    from sparkscore.monitor.formatting import rejects_table
    from sparkscore.pipelines.rejects import list_rejects
    from sparkscore.spark.session import get_job_session

    found = list_rejects(get_job_session(f"sparkscore rejects {settings.job}"), settings)
    people_screen().print(rejects_table(found))
    return json.dumps(
        {"schema": 1, "job": settings.job, "rejects": [asdict(one) for one in found]}, default=to_utc_text
    )


def _execute_retry(args: Namespace) -> CommandOutcome:
    settings = load_job_settings(args, args.config)
    from sparkscore.monitor.formatting import describe_run
    from sparkscore.monitor.progress_reporter import console_progress
    from sparkscore.pipelines.rejects import retry_rejects
    from sparkscore.spark.session import get_job_session

    spark, screen = get_job_session(f"sparkscore rejects {settings.job}"), people_screen()
    report = retry_rejects(spark, settings, run=args.run, progress=console_progress(screen))
    screen.print(describe_run(report), soft_wrap=True)
    return CommandOutcome(report.exit_code, report.to_json())


_WHAT_A_RETRY_IS_FOR = """

`retry` is for rows that failed because of the environment: a package that was missing, memory, a service that did not
answer. They are scored with the model version and the source version of their run. All rows of the run, old and new,
are then published as the next revision. All predictions of a run come from one model and one source; after you repair
the model or the source, use `score --replace`."""

REJECTS = Command(
    summary="list the rows that runs did not score; `rejects retry <id>` scores those of a run again",
    examples="""examples:
  {program} --config conf/quickstart.yaml
  {program} retry 1f0c9a2b --config conf/quickstart.yaml"""
    + _WHAT_A_RETRY_IS_FOR,
    execute=_execute_rejects,
    subcommands={
        "retry": Command(
            summary="score the rejected rows of a run again",
            examples="""examples:
  {program} 1f0c9a2b --config conf/quickstart.yaml"""
            + _WHAT_A_RETRY_IS_FOR,
            add_arguments=_add_retried_run,
            execute=_execute_retry,
        )
    },
)
