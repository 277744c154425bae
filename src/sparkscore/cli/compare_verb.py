"""`compare`: hold a challenger against the champion; with --promote let it take the champion's place."""

from argparse import ArgumentParser, Namespace

from sparkscore.cli.command import Command, CommandOutcome
from sparkscore.cli.setting_flags import add_as_of_argument, load_job_settings
from sparkscore.errors import ConfigError
from sparkscore.monitor.screen import people_screen


def _add_compare_arguments(parser: ArgumentParser) -> None:
    add_as_of_argument(parser, "compare this as_of; default: the newest that has a challenger", required=False)
    parser.add_argument("--from", dest="first", metavar="TIME", help="compare the as_ofs from this one on")
    parser.add_argument("--to", dest="last", metavar="TIME", help="and up to this one, inclusive")
    parser.add_argument(
        "--challenger", metavar="VERSION", help="the challenger, by its version, name/version or URI; default: the one"
    )
    parser.add_argument(
        "--promote", action="store_true", help="move the alias of model.uri where all rules of `promotion` hold"
    )
    parser.add_argument("--dry-run", action="store_true", help="with --promote: judge, and leave the alias")


def _execute_compare(args: Namespace) -> CommandOutcome:
    if args.dry_run and not args.promote:
        raise ConfigError("--dry-run without --promote", "--promote --dry-run", "a comparison changes nothing anyway")
    settings = load_job_settings(args, args.config)
    from sparkscore.monitor.comparison_table import comparison_tables
    from sparkscore.pipelines.compare import compare
    from sparkscore.spark.session import get_job_session

    report = compare(
        get_job_session(f"sparkscore compare {settings.job}"),
        settings,
        as_of=args.as_of,
        first=args.first,
        last=args.last,
        challenger=args.challenger,
        promote=args.promote,
        dry_run=args.dry_run,
    )
    screen = people_screen()
    for table in comparison_tables(report):
        screen.print(table)
    screen.print(f"the report is {report.report}", soft_wrap=True)
    return CommandOutcome(report.exit_code, report.to_json())


COMPARE = Command(
    summary="compare a challenger with the champion; with --promote let it take over where the rules hold",
    examples="""examples:
  {program} --config conf/job.yaml
  {program} --config conf/job.yaml --from 2013-12-01 --to 2013-12-31 --challenger 4
  {program} --config conf/job.yaml --promote --promotion.metric roc_auc --promotion.min_gain 0.005

Ends with 5 where --promote finds a rule of `promotion` that does not hold: the alias stays where it is.""",
    add_arguments=_add_compare_arguments,
    execute=_execute_compare,
)
