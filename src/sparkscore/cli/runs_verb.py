"""`runs`: the runs of a job; `runs show`: the events of one of them."""

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from sparkscore.cli.command import Command
from sparkscore.cli.setting_flags import load_job_settings
from sparkscore.cli.verb_session import answer_with_session
from sparkscore.monitor.screen import people_screen
from sparkscore.records import to_utc_text


def _add_shown_run(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run_id, or its first 8 characters or more")


def _execute_runs(args: Namespace) -> str:
    settings = load_job_settings(args, args.config)
    from sparkscore.monitor.formatting import events_table
    from sparkscore.pipelines.runs import list_runs

    run = getattr(args, "run", None)
    found = answer_with_session(f"sparkscore runs {settings.job}", lambda spark: list_runs(spark, settings, run=run))
    people_screen().print(events_table(found))
    return json.dumps(
        {"schema": 1, "job": settings.job, "events": [asdict(event) for event in found]}, default=to_utc_text
    )


RUNS = Command(
    summary="list a job's runs and attempts; `runs show <id>` shows one of them",
    examples="""examples:
  {program} --config conf/quickstart.yaml
  {program} show 1f0c9a2b --config conf/quickstart.yaml""",
    execute=_execute_runs,
    subcommands={
        "show": Command(
            summary="show the events of one run",
            examples="""examples:
  {program} 1f0c9a2b --config conf/quickstart.yaml""",
            add_arguments=_add_shown_run,
            execute=_execute_runs,
        )
    },
)
