"""Asks a registry in a SQLite file for an alias without MLflow, whose import and database engine take two seconds.

Only where MLflow is certain to say the same; every doubt, and every failure, is left to it and its messages.
"""

import os
import re
import sqlite3
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

_SQLITE = "sqlite:///"
_WAIT_S = 1
_REVISION = re.compile(r"^(down_)?revision\s*=\s*[\"'](\w+)[\"']", re.MULTILINE)
_WORKSPACE_VARIABLES = ("MLFLOW_ENABLE_WORKSPACES", "MLFLOW_WORKSPACE")
_SCHEMA_QUERY = "SELECT version_num FROM alembic_version"
_OTHER_WORKSPACES_QUERY = "SELECT count(*) FROM registered_models WHERE workspace <> 'default'"
_ALIAS_QUERY = """
    SELECT a.version FROM registered_model_aliases a
    JOIN registered_models m ON m.name = a.name AND m.workspace = a.workspace
    WHERE a.workspace = 'default' AND a.name = ? AND a.alias = ?
"""


def find_sqlite_alias(registry_uri: str | None, name: str, alias: str) -> str | None:
    """The version that the alias names now; None where MLflow has to be asked.

    Runs on: driver.
    """
    file = _find_database(registry_uri)
    if file is None or any(variable in os.environ for variable in _WORKSPACE_VARIABLES):
        return None
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=_WAIT_S)) as database:
            if database.execute(_SCHEMA_QUERY).fetchall() != [(_newest_schema(),)]:
                return None
            if database.execute(_OTHER_WORKSPACES_QUERY).fetchone() != (0,):
                return None
            found = database.execute(_ALIAS_QUERY, (name, alias)).fetchall()
    except sqlite3.Error:
        return None
    return str(found[0][0]) if len(found) == 1 else None


def _find_database(registry_uri: str | None) -> Path | None:
    if registry_uri is None or not registry_uri.startswith(_SQLITE) or "?" in registry_uri:
        return None
    file = Path(registry_uri.removeprefix(_SQLITE))
    return file if file.is_file() else None


@cache
def _newest_schema() -> str | None:
    """The schema that this MLflow takes: the one migration that no other one continues."""
    found = find_spec("mlflow")
    folders = [] if found is None else list(found.submodule_search_locations or ())
    texts = (
        file.read_text(encoding="utf-8")
        for folder in folders
        for file in Path(folder, "store", "db_migrations", "versions").glob("*.py")
    )
    named = [match.groups() for text in texts for match in _REVISION.finditer(text)]
    newest = {name for down, name in named if not down} - {name for down, name in named if down}
    return newest.pop() if len(newest) == 1 else None
