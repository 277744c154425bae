"""`migrate`: bring the job's tables to the newest schema version; drop or widen columns, rename the job."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from sparkscore.cli.command import Command
from sparkscore.cli.setting_flags import load_job_settings
from sparkscore.errors import ConfigError
from sparkscore.monitor.screen import people_screen


def _add_migrate_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="show what would be done; change nothing")
    parser.add_argument(
        "--drop-column",
        nargs="+",
        metavar="NAME",
        help="columns of the prediction table that the config does not write any more; writes all rows anew",
    )
    parser.add_argument(
        "--widen",
        nargs="+",
        metavar="NAME=TYPE",
        help="columns of the prediction table, or fields of one, and their wider types; writes all rows anew",
    )
    parser.add_argument("--rename-from", metavar="JOB", help="the name that the job had; the config has the new one")


def _execute_migrate(args: Namespace) -> str:
    settings = load_job_settings(args, args.config)
    from sparkscore.monitor.formatting import migration_table
    from sparkscore.pipelines.migrate import migrate
    from sparkscore.spark.session import get_job_session

    report = migrate(
        get_job_session(f"sparkscore migrate {settings.job}"),
        settings,
        drop_columns=args.drop_column or (),
        widen=_parse_widening(args.widen or ()),
        rename_from=args.rename_from,
        dry_run=args.dry_run,
    )
    people_screen().print(migration_table(report))
    return report.to_json()


def _parse_widening(words: Sequence[str]) -> dict[str, str]:
    """The types by column.

    Raises:  ConfigError.
    """
    parts = [word.rpartition("=") for word in words]
    broken = [word for word, (name, _, kind) in zip(words, parts, strict=True) if not name or not kind]
    if broken:
        raise ConfigError(f"--widen {broken[0]}", "a column and its type: --widen prediction=double", "add the type")
    return {name: kind for name, _, kind in parts}


MIGRATE = Command(
    summary="bring the job's tables to the newest schema version; drop or widen columns, or rename the job",
    examples="""examples:
  {program} --config job.yaml --dry-run
  {program} --config job.yaml --drop-column carrier
  {program} --config job.yaml --widen prediction=double
  {program} --config job.yaml --rename-from old-name

A run adds new columns and migrates schema versions by itself. Each table is changed by one commit; a call that was
killed is finished by the next one.""",
    add_arguments=_add_migrate_arguments,
    execute=_execute_migrate,
)
