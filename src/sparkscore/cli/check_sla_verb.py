"""`check_sla`: check the run events against the rules of `sla`."""

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from sparkscore.cli.command import Command, CommandOutcome
from sparkscore.cli.setting_flags import add_as_of_argument, load_job_settings
from sparkscore.cli.verb_session import answer_with_session
from sparkscore.errors import MONITORING_BREACH
from sparkscore.monitor.screen import people_screen


def _add_check_sla_arguments(parser: ArgumentParser) -> None:
    add_as_of_argument(parser, "check this as_of alone; default: the newest, and missing ones", required=False)


def _execute_check_sla(args: Namespace) -> CommandOutcome:
    settings = load_job_settings(args, args.config)
    from sparkscore.monitor.formatting import sla_table
    from sparkscore.pipelines.check_sla import check_sla

    rules = answer_with_session(
        f"sparkscore check_sla {settings.job}", lambda spark: check_sla(spark, settings, as_of=args.as_of)
    )
    people_screen().print(sla_table(rules))
    broken = [rule.rule for rule in rules if not rule.kept]
    line = json.dumps({"schema": 1, "job": settings.job, "broken": broken, "rules": [asdict(rule) for rule in rules]})
    return CommandOutcome(MONITORING_BREACH if broken else 0, line)


CHECK_SLA = Command(
    summary="check the run events against the rules of sla; also finds runs that never started",
    examples="""examples:
  {program} --config conf/quickstart.yaml --sla.every_hours 24 --sla.published_within_hours 6
  {program} --config conf/quickstart.yaml --as-of 2013-12-31

Ends with 5 if a rule is broken. Give it a schedule of its own: a run that never started cannot raise an alert.""",
    add_arguments=_add_check_sla_arguments,
    execute=_execute_check_sla,
)
