"""`doctor`: looks at the environment, and tells what will fail and its cure."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from sparkscore.cli.command import Command, CommandOutcome
from sparkscore.cli.setting_flags import load_job_settings, setting_values
from sparkscore.errors import ConfigError
from sparkscore.monitor.screen import people_screen

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def _add_doctor_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="no text for people: the result line alone")
    parser.add_argument(
        "--without-spark", action="store_true", help="start no Spark; what only Spark can tell is left out, in words"
    )


def _execute_doctor(args: Namespace) -> CommandOutcome:
    settings = load_job_settings(args, args.config) if args.config or setting_values(args) else None
    from sparkscore.monitor.formatting import checks_table
    from sparkscore.pipelines.doctor import diagnose

    def start() -> "SparkSession":
        from sparkscore.spark.session import get_job_session

        return get_job_session("sparkscore doctor")

    found = diagnose(settings, None if args.without_spark else start)
    if not args.json:
        people_screen().print(checks_table(found.checks))
    return CommandOutcome(ConfigError.exit_code if found.has_failed else 0, found.to_json())


DOCTOR = Command(
    summary="check the environment, with or without a config: each line with its cure",
    examples="""examples:
  {program}
  {program} --config conf/quickstart.yaml
  {program} --config job.yaml --without-spark --json
  ./spark-submit.sh --master spark://host:7077 jobs/doctor.py --config job.yaml

Ends with 2 if something is found that a run would fail of. Writes one small file into the home folder and removes it
again; starts one small job; the model's files are downloaded and nothing of them is imported.""",
    add_arguments=_add_doctor_arguments,
    execute=_execute_doctor,
)
