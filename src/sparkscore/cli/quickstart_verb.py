"""`quickstart`: a first run in one command."""

from argparse import Namespace

from sparkscore.cli.command import Command
from sparkscore.cli.setting_flags import load_job_settings
from sparkscore.monitor.screen import people_screen


def _execute_quickstart(args: Namespace) -> str:
    from sparkscore.demo import quickstart

    settings = load_job_settings(args, args.config or [quickstart.config_file()])
    return quickstart.run_quickstart(settings, people_screen()).to_json()


QUICKSTART = Command(
    summary="load real flights, train and register a model, score three months: a first run in one command",
    examples="""examples:
  {program}
  SPARKSCORE_HOME=/data/sparkscore {program}""",
    execute=_execute_quickstart,
)
