"""`maintain`: remove what is too old, compact, vacuum."""

from argparse import ArgumentParser, Namespace

from sparkscore.cli.command import Command
from sparkscore.cli.setting_flags import load_job_settings
from sparkscore.monitor.screen import people_screen


def _add_maintain_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="show what would be done; change nothing")


def _execute_maintain(args: Namespace) -> str:
    settings = load_job_settings(args, args.config)
    from sparkscore.monitor.formatting import maintenance_table
    from sparkscore.pipelines.maintain import maintain
    from sparkscore.spark.session import get_job_session

    report = maintain(get_job_session(f"sparkscore maintain {settings.job}"), settings, dry_run=args.dry_run)
    people_screen().print(maintenance_table(report))
    return report.to_json()


MAINTAIN = Command(
    summary="remove what is too old and what settled runs left; compact and vacuum the job's tables",
    examples="""examples:
  {program} --config conf/quickstart.yaml --dry-run
  {program} --config conf/quickstart.yaml --output.retention_days 90""",
    add_arguments=_add_maintain_arguments,
    execute=_execute_maintain,
)
