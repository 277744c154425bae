"""`init`: a repository around one job: config, overlays, suites, DAG, bundle, CI and tests that pass at once."""

import json
import os
import re
import shlex
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
from sparkscore.schemas import RESERVED_NAMES
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
    if not args.folder.strip():
        raise ConfigError("the folder is empty text", "the folder to make", "name it; . is the one you are in")
    folder = Path(args.folder)
    _require_empty_folder(folder)
    answers = _complete_answers(args, folder)
    _check_answers(answers)
    files = _write_repository(folder, answers)
    screen = people_screen()
    screen.print(f"{len(files)} files in {folder}; next:", soft_wrap=True)
    screen.print(f"  cd {shlex.quote(str(folder))} && python -m pytest -q", soft_wrap=True)
    screen.print("  sparkscore score --config conf/job.yaml --config conf/env/dev.yaml --as-of DATE --dry-run")
    return json.dumps({"schema": 1, "job": answers["job"], "folder": str(folder), "files": files}, ensure_ascii=False)


def _require_empty_folder(folder: Path, *, but: str = "") -> None:
    try:
        found = sorted(entry.name for entry in folder.iterdir() if entry.name != but) if folder.exists() else []
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
        "output": (args.output or f"{table.rstrip('/')}_predictions").rstrip("/"),
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
    if answers["output"] == answers["table"].rstrip("/"):
        raise ConfigError(
            f"--output {answers['output']} is the table to score", "a prediction table of its own", "correct --output"
        )
    for key in answers["keys"]:
        if not key or _UNSAFE_IN_COLUMNS.search(key) or key.lower() in RESERVED_NAMES:
            raise ConfigError(
                f"--keys holds {visible_line(key)[:100]!r}",
                "names of columns, with commas between them, without quotes, braces and control characters, and none"
                " that the prediction table has for itself",
                "correct --keys; other names can be written into conf/job.yaml later, with output.rename",
            )


def _write_repository(folder: Path, answers: Mapping[str, Any]) -> list[str]:
    """Render the template on the folder's own disk, and let it take its place when all of it is there and is right."""
    from copier import run_copy

    is_there = folder.exists()
    try:
        (folder if is_there else folder.parent).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".sparkscore-init-", dir=folder if is_there else folder.parent) as own:
            made = Path(own, "made")
            run_copy(str(_TEMPLATE), made, data=dict(answers), defaults=True, quiet=True)
            create_new_file("DIR", made / "conf" / "sparkscore.schema.json", to_schema_text(build_config_schema()))
            _refuse_config_faults(made / "conf")
            _set_usual_modes(made)
            if is_there:  # it stays the folder that it is: with its mode, mounted, or the one that a shell is in
                _require_empty_folder(folder, but=Path(own).name)  # of two at once one sees the other
                for entry in made.iterdir():
                    entry.rename(folder / entry.name)
            else:
                made.rename(folder)  # never onto one that has got a file meanwhile
    except OSError as error:
        raise ConfigError(
            f"{folder}: {error.strerror or error}", "a new or an empty folder that can be written", "name another"
        ) from error
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def _refuse_config_faults(conf: Path) -> None:
    """Refuse answers that are right each by itself, and make a config together that a run would refuse."""
    from sparkscore.settings.config_faults import find_config_faults

    for overlay in sorted((conf / "env").glob("*.yaml")):
        for fault in find_config_faults([conf / "job.yaml", overlay], {}, {}):
            raise ConfigError(fault.found, fault.expected, "correct the answers")


def _set_usual_modes(made: Path) -> None:
    """As of files that a person makes: where the package is installed its files may be read-only."""
    mask = os.umask(0)
    os.umask(mask)
    for one in (made, *made.rglob("*")):
        one.chmod((0o777 if one.is_dir() else 0o666) & ~mask)


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
