"""`config`: show what a job's settings are and where each is from, check them, draft new ones, write their schema."""

import json
import shlex
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkscore.cli.command import Command, CommandOutcome
from sparkscore.cli.new_files import create_new_file, refuse_existing_file
from sparkscore.cli.setting_flags import setting_values
from sparkscore.cli.verb_session import answer_with_session
from sparkscore.errors import ConfigError
from sparkscore.monitor.screen import people_screen
from sparkscore.settings import TableSettings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkscore.pipelines.config_draft import ConfigDraft

_NAMED_BY_FLAGS = ("model.uri", "source.table", "source.keys")
_WRITTEN_SETTINGS = ("job", "home", "output.table", "model.tracking_uri")
"""What `config new` takes of all settings, and writes."""


def _add_all_arguments(parser: ArgumentParser) -> None:
    _add_show_arguments(parser)
    _add_new_arguments(parser)


def _add_show_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--changed", action="store_true", help="`show`: only settings that are not the default")
    _add_json_flag(parser)


def _add_json_flag(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="`show`, `check`: the result line alone, nothing for people"
    )


def _add_new_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--from-model", metavar="URI", help="`new`: the model, models:/churn@champion")
    parser.add_argument("--table", metavar="TABLE", help="`new`: the table to score, as in source.table")
    parser.add_argument(
        "--keys", metavar="COLUMNS", help="`new`: what identifies a row: id, or 'id, day'; default: a guess"
    )
    _add_schema_arguments(parser)


def _add_schema_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--to", metavar="FILE", help="`new`, `schema`: the file to write; default of `new`: <job>.yaml")


def _require_config(args: Namespace) -> None:
    if not args.config and not setting_values(args):
        raise ConfigError("no --config", "the files of a job", "name them, for example --config conf/quickstart.yaml")


def _execute_show(args: Namespace) -> str:
    _require_config(args)
    from sparkscore.monitor.formatting import rows_table
    from sparkscore.settings.setting_listing import list_setting_origins

    settings, listed = list_setting_origins(args.config, setting_values(args))
    args.job = settings.job
    shown = [one for one in listed if not args.changed or one.origin.kind != "default"]
    if not args.json:
        people_screen().print(
            rows_table(("setting", "value", "origin"), [(one.name, one.text, one.origin.text) for one in shown])
        )
    entries = [{"name": one.name, "value": one.value, "origin": asdict(one.origin)} for one in shown]
    return json.dumps({"schema": 1, "job": settings.job, "settings": entries}, ensure_ascii=False)


def _execute_config_check(args: Namespace) -> CommandOutcome:
    _require_config(args)
    from sparkscore.pipelines.config_check import check_config

    verdict = check_config(args.config, setting_values(args))
    screen, faults = people_screen(), verdict.faults
    if not args.json:
        for one in faults:
            where = f"{one.location}: " if one.location else ""
            screen.print(f"{where}{one.found}\n  expected: {one.expected}\n  do: {one.do}", soft_wrap=True)
        for warning in verdict.warnings:
            screen.print(f"warning: {warning}", soft_wrap=True)
        screen.print(_count_faults(len(faults)), soft_wrap=True)
    code = ConfigError.exit_code if faults else 0
    line = {
        "schema": 1,
        "job": "" if verdict.settings is None else verdict.settings.job,
        "status": "failed" if faults else "valid",
        "exit_code": code,
        "faults": [asdict(one) for one in faults],
        "warnings": list(verdict.warnings),
    }
    return CommandOutcome(code, json.dumps(line, ensure_ascii=False))


def _count_faults(count: int) -> str:
    if count == 0:
        return "no fault found; `sparkscore score … --dry-run` also asks the registry and the tables"
    return f"{count} fault{'s' if count > 1 else ''}"


def _execute_new(args: Namespace) -> str:
    given = setting_values(args)
    _require_new_flags(args, given)
    flags = {**given, "source.table": args.table, "model.uri": args.from_model}
    if args.keys:
        flags["source.keys"] = args.keys if args.keys.startswith("[") else f"[{args.keys}]"
    settings = TableSettings.load(*args.config, flags=flags)
    from sparkscore.pipelines.config_draft import draft_settings
    from sparkscore.pipelines.config_text import describe_draft, format_config

    if args.to:
        refuse_existing_file("--to", args.to)
    draft = _draft_or_ask(args, settings)
    extra = {name: text for name, text in flags.items() if name in ("home", "model.tracking_uri")}
    if "home" in extra:
        extra["home"] = settings.home
    values = draft_settings(draft, extra)
    file = Path(args.to or f"{draft.job}.yaml")
    create_new_file("--to", file, format_config(draft, values), check=partial(_refuse_faults, args.config))
    screen, notes = people_screen(), [*describe_draft(draft), *_describe_unwritten(extra, values)]
    for note in notes:
        screen.print(f"look at: {note}", soft_wrap=True)
    configs = " ".join(f"--config {shlex.quote(str(one))}" for one in (*args.config, file))
    screen.print(f"written: {file}; next: sparkscore score {configs} --as-of DATE --dry-run", soft_wrap=True)
    return json.dumps(
        {"schema": 1, "job": draft.job, "file": str(file), "settings": values, "notes": notes}, ensure_ascii=False
    )


def _require_new_flags(args: Namespace, given: Mapping[str, str]) -> None:
    twice = [name for name in _NAMED_BY_FLAGS if name in given]
    missing = [flag for flag, text in (("--from-model", args.from_model), ("--table", args.table)) if not text]
    if twice or missing:
        raise ConfigError(
            f"config new with --{twice[0]}" if twice else f"config new without {' and '.join(missing)}",
            "--from-model URI --table TABLE, and --keys where they cannot be guessed",
            "sparkscore config new --help",
        )
    idle = [name for name in given if name not in _WRITTEN_SETTINGS]
    if idle:
        raise ConfigError(
            f"config new with --{idle[0]}, which it does not write",
            f"of settings --{', --'.join(_WRITTEN_SETTINGS)} alone",
            "leave it out, and write it into the file that is made",
        )


def _describe_unwritten(extra: Mapping[str, str], values: Mapping[str, Any]) -> list[str]:
    if "model.tracking_uri" not in extra or "tracking_uri" in values["model"]:
        return []
    return ["model.tracking_uri holds a password, and is not in the file: runs take it from MLFLOW_TRACKING_URI"]


def _draft_or_ask(args: Namespace, settings: TableSettings) -> "ConfigDraft":
    """The draft; a person at a terminal is asked for keys that cannot be guessed."""
    from sparkscore.pipelines.config_draft import KeysUnknown, draft_config

    def answer(spark: "SparkSession | None", known: TableSettings = settings) -> "ConfigDraft":
        return draft_config(spark, known)

    try:
        return answer_with_session("sparkscore config new", answer)
    except KeysUnknown as unknown:
        if not sys.stdin or not sys.stdin.isatty():
            raise
        people_screen().print(f"{unknown.found}\n{unknown.do}\nkeys, with commas between them:", soft_wrap=True)
        words = sys.stdin.readline().strip()
        if not words:
            raise
        keys = tuple(word.strip() for word in words.split(","))
        asked = settings.model_copy(update={"source": settings.source.model_copy(update={"keys": keys})})
        return answer_with_session("sparkscore config new", lambda spark: answer(spark, asked))


def _refuse_faults(before: Sequence[str], file: Path) -> None:
    """Refuse a drafted config that a run would refuse, as for a name of a job that is none."""
    from sparkscore.settings.config_faults import find_config_faults

    for one in find_config_faults([*before, file], {}, {}):
        raise ConfigError(one.found, one.expected, one.do)


def _execute_schema(args: Namespace) -> str:
    if not args.to:
        raise ConfigError("config schema without --to", "config schema --to FILE", "sparkscore config schema --help")
    from sparkscore.cli.verb_output import write_flag_file
    from sparkscore.settings.config_schema import build_config_schema, to_schema_text

    file = write_flag_file("--to", args.to, to_schema_text(build_config_schema()))
    people_screen().print(
        f"written: {file}; an editor takes it by the line `# yaml-language-server: $schema={file.name}`", soft_wrap=True
    )
    return json.dumps({"schema": 1, "file": str(file)})


CONFIG = Command(
    summary="`config show`: settings and their origins; `check`: all faults; `new`: a draft; `schema`: for editors",
    examples="""examples:
  {program} show --config conf/quickstart.yaml --config conf/env/prod.yaml --changed
  {program} check --config conf/quickstart.yaml --config conf/env/prod.yaml
  {program} new --from-model models:/churn@champion --table lake.customers --keys customer_id --to conf/churn.yaml
  {program} schema --to conf/sparkscore.schema.json""",
    add_arguments=_add_all_arguments,
    execute=None,
    subcommands={
        "show": Command(
            summary="show every setting, its value, and the file and line, variable or flag that gives it",
            examples="""examples:
  {program} --config conf/quickstart.yaml
  {program} --config conf/quickstart.yaml --config conf/env/prod.yaml --changed
  SPARKSCORE_OUTPUT__THRESHOLD=0.5 {program} --config conf/quickstart.yaml --changed --json

Secrets are shown as ***. Entries of mappings are shown one by one: they may be from several files.""",
            add_arguments=_add_show_arguments,
            execute=_execute_show,
        ),
        "check": Command(
            summary="find all faults of the config at once, without Spark; ends with 2 where there is one",
            examples="""examples:
  {program} --config conf/quickstart.yaml
  {program} --config conf/quickstart.yaml --config conf/env/staging.yaml --json

It reads the config files, the environment, and the suites of the gates. What a registry or a table knows is checked by
`sparkscore score --dry-run`.""",
            add_arguments=_add_json_flag,
            execute=_execute_config_check,
        ),
        "new": Command(
            summary="write a config with comments, from the signature of a model and the columns of a table",
            examples="""examples:
  {program} --from-model models:/churn@champion --table lake.customers
  {program} --from-model models:/churn@champion --table /data/customers --keys customer_id --to conf/churn.yaml
  {program} --from-model models:/churn/3 --table customers --home /data/sparkscore --model.tracking_uri http://mlflow:5000

Keys that are not given are guessed by the names of columns. A file that exists is never overwritten.""",
            add_arguments=_add_new_arguments,
            execute=_execute_new,
        ),
        "schema": Command(
            summary="write the JSON Schema of config files, for editors",
            examples="""examples:
  {program} --to conf/sparkscore.schema.json""",
            add_arguments=_add_schema_arguments,
            execute=_execute_schema,
        ),
    },
)
