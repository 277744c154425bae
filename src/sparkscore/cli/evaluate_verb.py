"""`evaluate`: hold what was published against its truth."""

from argparse import ArgumentParser, Namespace

from sparkscore.cli.command import Command, CommandOutcome
from sparkscore.cli.setting_flags import add_as_of_argument, load_job_settings
from sparkscore.monitor.screen import people_screen
from sparkscore.records import parse_as_of


def _add_evaluate_arguments(parser: ArgumentParser) -> None:
    add_as_of_argument(parser, "evaluate the window that holds this as_of; default: all windows", required=False)
    for flag, name, text in (("--from", "first", "first"), ("--to", "last", "last")):
        parser.add_argument(
            flag, dest=name, type=_check_window_time, metavar="TIME", help=f"{text} as_of whose window is evaluated"
        )


def _check_window_time(text: str) -> str:
    parse_as_of(text)
    return text


def _execute_evaluate(args: Namespace) -> CommandOutcome:
    settings = load_job_settings(args, args.config)
    from sparkscore.monitor.performance_formatting import performance_table
    from sparkscore.pipelines.evaluate import evaluate
    from sparkscore.spark.session import get_job_session

    report = evaluate(
        get_job_session(f"sparkscore evaluate {settings.job}"),
        settings,
        as_of=args.as_of,
        first=args.first,
        last=args.last,
    )
    people_screen().print(performance_table(report))
    return CommandOutcome(report.exit_code, report.to_json())


EVALUATE = Command(
    summary="hold predictions against their truth: metrics by model version, segment and window; decay, alerts",
    examples="""examples:
  {program} --config job.yaml
  {program} --config job.yaml --as-of 2013-12-31
  {program} --config job.yaml --from 2013-12-01 --to 2013-12-31 --labels.window 7d

Joins the table of labels.table with what was published for each key and time, never with a later run, and stores
metrics with their confidence in <output.table>_performance. A second call with the same truths does nothing; when
truths come or change, the rows of their windows are replaced. Ends with 5 where a limit of performance.fail is broken
in the newest window that is judged.""",
    add_arguments=_add_evaluate_arguments,
    execute=_execute_evaluate,
)
