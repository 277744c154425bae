"""`stream`: score what comes to the source, micro-batch by micro-batch."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace

from sparkscore.cli.command import Command, CommandOutcome
from sparkscore.cli.setting_flags import load_job_settings
from sparkscore.monitor.screen import people_screen


def _add_stream_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--max-batches", type=_parse_count, metavar="N", help="end after so many micro-batches")
    parser.add_argument(
        "--new-checkpoint",
        action="store_true",
        help="begin anew: with all rows of the source, or where --stream.starting_version says",
    )


def _parse_count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no number of micro-batches: 1 or more")
    return int(text)


def _execute_stream(args: Namespace) -> CommandOutcome:
    settings = load_job_settings(args, args.config)
    from sparkscore.monitor.formatting import describe_stream
    from sparkscore.pipelines.stream import stream
    from sparkscore.spark.session import get_job_session

    spark = get_job_session(f"sparkscore stream {settings.job}")
    report = stream(spark, settings, max_batches=args.max_batches, new_checkpoint=args.new_checkpoint)
    people_screen().print(describe_stream(report), soft_wrap=True)
    return CommandOutcome(report.exit_code, report.to_json())


STREAM = Command(
    summary="score what comes to the source, micro-batch by micro-batch; each is published once",
    examples="""examples:
  {program} --config conf/quickstart.yaml
  {program} --config conf/quickstart.yaml --stream.trigger "10 seconds" --stream.max_files_per_trigger 20
  {program} --config conf/quickstart.yaml --new-checkpoint --stream.starting_version 42""",
    add_arguments=_add_stream_arguments,
    execute=_execute_stream,
)
