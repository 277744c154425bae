"""`explain`: every score of a key over time, and why there is none where there is none."""

from argparse import ArgumentParser, Namespace

from sparkscore.cli.command import Command
from sparkscore.cli.setting_flags import add_as_of_argument, load_job_settings
from sparkscore.monitor.screen import people_screen


def _add_key(parser: ArgumentParser) -> None:
    parser.add_argument(
        "key", nargs="+", metavar="KEY", help="COLUMN=VALUE for each key column, or the key as one JSON object"
    )
    add_as_of_argument(parser, "this logical time alone; without it all of them", required=False)


def _execute_explain(args: Namespace) -> str:
    settings = load_job_settings(args, args.config)
    from sparkscore.cli.verb_session import answer_with_session
    from sparkscore.monitor.explanation_formatting import describe_explanation, entries_table
    from sparkscore.pipelines.explain import explain_key

    found = answer_with_session(
        f"sparkscore explain {settings.job}", lambda spark: explain_key(spark, settings, args.key, as_of=args.as_of)
    )
    screen = people_screen()
    screen.print(describe_explanation(found), soft_wrap=True)
    if found.entries or found.challengers:
        screen.print(entries_table(found))
    return found.to_json()


EXPLAIN = Command(
    summary="tell every score of a key over time, or why it has none",
    examples="""examples:
  {program} id=17 --config job.yaml
  {program} carrier=AA flight=12 --config job.yaml --as-of 2013-12-31
  {program} '{{"carrier": "AA", "flight": 12}}' --config job.yaml
  {program} flight_id=336776 --config conf/quickstart.yaml

Superseded values come from the versions of the prediction table that its log and its files still hold. A key without a
score is looked for among the rejects of the run, then in the source as the run has read it.""",
    add_arguments=_add_key,
    execute=_execute_explain,
)
