"""Queries for analysts over the tables of a job, in the dialects of the engines that read them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sparkscore.errors import ConfigError
from sparkscore.performance_schemas import PERFORMANCE_SUFFIX
from sparkscore.records import TableRef, parse_as_of
from sparkscore.schemas import DELETED_COLUMN
from sparkscore.settings import Settings
from sparkscore.spark.identifiers import parse_table_ref, sibling_table, sql_name

QUERY_FOLDER = Path(__file__).parent / "queries"
"""A folder for each dialect. Written by hand is `spark`; `python -m ci.queries` makes the others of it."""
DIALECTS = ("spark", "databricks", "duckdb", "trino")
QUERY_NAMES = ("latest", "history", "changes", "movers", "quality", "runs", "rejects")
_IS_PREDICTION = f"{DELETED_COLUMN} IS DISTINCT FROM TRUE"
"""For every engine: Trino's grammar has IS NOT TRUE only since 482."""
_PLACEHOLDER = re.compile(r"__(\w+?)__")
_SUFFIXES = {"predictions": "", "runs": "_runs", "rejects": "_rejects", "performance": PERFORMANCE_SUFFIX}


@dataclass(frozen=True, slots=True)
class AnalystQuery:
    """Which query, in which dialect, between which as_ofs."""

    name: str
    dialect: str = "spark"
    first: str | None = None
    """The earlier as_of of a comparison; None: the one before `last`."""
    last: str | None = None
    """The later one; None: the newest."""


def build_query(
    settings: Settings, name: str, *, dialect: str = "spark", first: str | None = None, last: str | None = None
) -> str:
    """A query for analysts over the tables of a job: latest, history, changes, movers, quality, runs or rejects.

    `dialect`: spark, databricks, duckdb or trino. `first` and `last`: the as_ofs of changes and movers. DuckDB
    and Trino name a table that has no catalog by its last name: register it under that one. Every name is quoted.

    Jobs:    none.
    Raises:  ConfigError for another name or dialect, and for an as_of that is no time; NameRefused.
    """
    for given, known in ((name, QUERY_NAMES), (dialect, DIALECTS)):
        if given not in known:
            raise ConfigError(f"{given!r:.80} is not known", f"one of {', '.join(known)}", "correct it")
    ref = parse_table_ref(settings.output.table, home=settings.home_uri)
    marks = settings.source.on_delete == "mark"
    return fill_query(
        AnalystQuery(name, dialect, first, last),
        {one: _name_table(sibling_table(ref, suffix), dialect) for one, suffix in _SUFFIXES.items()},
        settings.output_keys,
        is_prediction=_IS_PREDICTION if marks else "TRUE",
    )


def fill_query(
    query: AnalystQuery, tables: Mapping[str, str], keys: Sequence[str], *, is_prediction: str = "TRUE"
) -> str:
    """The query with tables, by `predictions`, `runs`, `rejects` and `performance`, and key columns in their places."""
    text = (QUERY_FOLDER / query.dialect / f"{query.name}.sql").read_text(encoding="utf-8")
    last = _newest_as_of(tables) if query.last is None else _as_of_literal(query.last, query.dialect)
    first = _newest_as_of(tables, before=last) if query.first is None else _as_of_literal(query.first, query.dialect)
    values = {
        **tables,
        "key": ", ".join(_quote_in_dialect(key, query.dialect) for key in keys),
        "is_prediction": is_prediction,
        "from": first,
        "to": last,
    }
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def _newest_as_of(tables: Mapping[str, str], *, before: str | None = None) -> str:
    where = "" if before is None else f" WHERE as_of < {before}"
    return f"(SELECT MAX(as_of) FROM {tables['predictions']}{where})"  # noqa: S608  quoted, and literals


def _name_table(ref: TableRef, dialect: str) -> str:
    if dialect in ("spark", "databricks"):
        return sql_name(ref)
    parts = ref.name.split(".") if ref.path is None else [ref.path.rstrip("/").rpartition("/")[2]]
    return ".".join(_quote_in_dialect(part, dialect) for part in parts)


def _quote_in_dialect(name: str, dialect: str) -> str:
    mark = "`" if dialect in ("spark", "databricks") else '"'
    return mark + name.replace(mark, mark * 2) + mark


def _as_of_literal(as_of: str, dialect: str) -> str:
    moment = parse_as_of(as_of).astimezone(UTC)
    text = datetime.isoformat(moment.replace(tzinfo=None), sep=" ")
    forms = {"duckdb": f"TIMESTAMPTZ '{text}Z'", "trino": f"TIMESTAMP '{text} UTC'"}
    return forms.get(dialect, f"TIMESTAMP '{text}Z'")
