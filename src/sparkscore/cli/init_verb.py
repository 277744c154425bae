"""`init`: a repository around one job: config, overlays, suites, DAG, bundle, CI and tests that pass at once."""

import json
import re
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sparkscore
from sparkscore.cli.command import Command
from sparkscore.cli.new_files import create_new_file
from sparkscore.errors import ConfigError
from sparkscore.monitor.screen import people_screen
from sparkscore.monitor.visible import visible_line
from sparkscore.settings.config_schema import build_config_schema, to_schema_text
from sparkscore.settings.job_settings import JOB_NAME, JOB_NAME_EXTRA

_TEMPLATE = Path(__file__).with_name("job_template")
_UNSAFE_IN_COLUMNS = re.compile(r"[\x00-\x1f\x7f{}\[\]%`\"'\\]")
_ASKED = {
    "table": "the table to score (--table)",
    "keys": "columns that identify a row, with commas between them (--keys)",
    "model": "the model, such as models:/churn@champion (--model)",
}


def _add_init_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="the folder to make; one that is there must be empty")
    parser.add_argument("--name", metavar="NAME", help="name of the job; default: that of the folder")
    parser.add_argument("--table", metavar="TABLE", help="the table to score: lake.customers")
    parser.add_argument("--keys", metavar="COLUMNS", help="columns that identify a row: customer_id, or a,b")
    parser.add_argument("--model", metavar="URI", help="the model: models:/churn@champion")
    parser.add_argument("--output", metavar="TABLE", help="the prediction table; default: <table>_predictions")


def _execute_init(args: Namespace) -> str:
    folder = Path(args.folder)
    _require_empty_folder(folder)
    answers = _complete_answers(args, folder)
    _check_answers(answers)
    files = _write_repository(folder, answers)
    screen = people_screen()
    screen.print(f"{len(files)} files in {folder}; next:", soft_wrap=True)
    screen.print(f"  cd {folder} && python -m pytest -q", soft_wrap=True)
    screen.print("  sparkscore score --config conf/job.yaml --config conf/env/dev.yaml --as-of DATE --dry-run")
    return json.dumps({"schema": 1, "job": answers["job"], "folder": str(folder), "files": files}, ensure_ascii=False)


def _require_empty_folder(folder: Path) -> None:
    try:
        found = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}", "a new or an empty folder", "name another folder") from error
    if found:
        raise ConfigError(
            f"{folder} is not empty: it has {found[0]}{f' and {len(found) - 1} more' if len(found) > 1 else ''}",
            "a new or an empty folder: nothing is overwritten",
            "name another folder",
        )


def _complete_answers(args: Namespace, folder: Path) -> dict[str, Any]:
    """The answers of the flags; what is missing is asked of a person at a terminal."""
    given = {name: getattr(args, name) for name in _ASKED}
    missing = [name for name, text in given.items() if not text]
    if missing and not (sys.stdin and sys.stdin.isatty()):
        raise ConfigError(
            f"init without {', '.join(f'--{name}' for name in missing)}",
            "--table, --keys and --model: nobody is asked where stdin is no terminal",
            "sparkscore init --help",
        )
    for name in missing:
        people_screen().print(f"{_ASKED[name]}:")
        given[name] = sys.stdin.readline().strip()
        if not given[name]:
            raise ConfigError(f"no answer for --{name}", "a value", "answer, or give it as a flag")
    table = str(given["table"])
    name = args.name or re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-._")
    return {
        "job": name,
        "table": table,
        "keys": [key.strip() for key in str(given["keys"]).strip("[]").split(",")],
        "model": given["model"],
        "output": args.output or f"{table.rstrip('/')}_predictions",
        "version": sparkscore.__version__,
    }


def _check_answers(answers: Mapping[str, Any]) -> None:
    """Refuse names that are none, before anything is written.

    Raises:  ConfigError, NameRefused.
    """
    from sparkscore.model.registry.model_uri import parse_model_uri
    from sparkscore.spark.identifiers import parse_table_ref

    if not re.fullmatch(JOB_NAME, answers["job"]):
        raise ConfigError(
            f"the name {visible_line(answers['job'])[:150]!r} is no name of a job",
            str(JOB_NAME_EXTRA["expected"]),
            "--name",
        )
    for flag in ("table", "output"):
        parse_table_ref(answers[flag], home="/")
    parse_model_uri(answers["model"])
    for key in answers["keys"]:
        if not key or _UNSAFE_IN_COLUMNS.search(key):
            raise ConfigError(
                f"--keys holds {visible_line(key)[:100]!r}",
                "names of columns, with commas between them, without quotes, braces and control characters",
                "correct --keys; other names can be written into conf/job.yaml later",
            )


def _write_repository(folder: Path, answers: Mapping[str, Any]) -> list[str]:
    """Render the template beside the folder, and let it take its place as a whole."""
    from copier import run_copy

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".sparkscore-init-", dir=folder.parent) as beside:
        made = Path(beside) / "made"
        run_copy(str(_TEMPLATE), made, data=dict(answers), defaults=True, quiet=True)
        create_new_file("DIR", made / "conf" / "sparkscore.schema.json", to_schema_text(build_config_schema()))
        made.chmod(0o755)
        try:
            made.rename(folder)  # also onto an empty folder, and never onto one that has got a file meanwhile
        except OSError as error:
            raise ConfigError(f"{folder}: {error.strerror}", "a new or an empty folder", "name another") from error
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


INIT = Command(
    summary="make a repository around a job: config, overlays, suites, DAG, bundle, CI, and tests that pass at once",
    examples="""examples:
  {program} churn --table lake.customers --keys customer_id --model models:/churn@champion
  {program} work/churn --name churn-daily --table /data/customers --keys 'id, day' --model models:/churn/3

Needs the extra init. At a terminal what is missing is asked; nothing is overwritten.""",
    add_arguments=_add_init_arguments,
    execute=_execute_init,
    takes_settings=False,
)
