"""The queries for analysts are written once, read by each engine's grammar, and filled with names that are quoted."""

from pathlib import Path

import pytest

from sparkscore.cli import sql_verb
from sparkscore.errors import ConfigError
from sparkscore.publish.analyst_queries import (
    DIALECTS,
    QUERY_FOLDER,
    QUERY_NAMES,
    AnalystQuery,
    build_query,
    fill_query,
)
from sparkscore.settings import Settings

TABLES = {"predictions": "p", "runs": "r", "rejects": "j", "performance": "q"}


def settings_of(**groups: object) -> Settings:
    given = {
        "job": "late",
        "home": "/home/of/job",
        "source": {"table": "flights", "keys": ["id"]},
        "model": {"uri": "models:/late@champion"},
        "output": {"table": "predictions"},
    }
    return Settings.model_validate({**given, **groups})


def test_every_dialect_has_every_query() -> None:
    found = {file.relative_to(QUERY_FOLDER).as_posix() for file in QUERY_FOLDER.rglob("*.sql")}
    assert found == {f"{dialect}/{name}.sql" for dialect in DIALECTS for name in QUERY_NAMES}


def test_the_verb_offers_what_there_is() -> None:
    assert (tuple(sql_verb._NAMES), sql_verb._DIALECTS) == (QUERY_NAMES, DIALECTS)


def test_the_files_of_other_dialects_are_what_their_source_says() -> None:
    pytest.importorskip("sqlglot")
    from ci.queries import find_stale_queries

    assert find_stale_queries() == [], "run python -m ci.queries, and commit what it changes"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", QUERY_NAMES)
def test_each_engines_grammar_reads_it(name: str, dialect: str) -> None:
    sqlglot = pytest.importorskip("sqlglot")
    text = fill_query(AnalystQuery(name, dialect), TABLES, ["a", "b"])
    assert "__" not in text
    (read,) = sqlglot.parse(text, read=dialect)
    assert read.named_selects or read.is_star


@pytest.mark.parametrize(
    ("dialect", "literal"),
    [
        ("spark", "TIMESTAMP '2013-12-30 00:00:00Z'"),
        ("databricks", "TIMESTAMP '2013-12-30 00:00:00Z'"),
        ("duckdb", "TIMESTAMPTZ '2013-12-30 00:00:00Z'"),
        ("trino", "TIMESTAMP '2013-12-30 00:00:00 UTC'"),
    ],
)
def test_times_are_literals_in_utc(dialect: str, literal: str) -> None:
    query = AnalystQuery("changes", dialect, first="2013-12-30", last="2013-12-31T06:00:00+06:00")
    text = fill_query(query, TABLES, ["id"])
    assert literal in text
    assert "2013-12-31 00:00:00" in text


@pytest.mark.parametrize("time", ["soon", "2013-12-30' OR '1'='1", "", "2013-13-01"])
def test_what_is_no_time_is_refused(time: str) -> None:
    with pytest.raises(ConfigError):
        fill_query(AnalystQuery("changes", first=time), TABLES, ["id"])


@pytest.mark.parametrize(("dialect", "quoted"), [("spark", '`a``b"c`'), ("duckdb", '"a`b""c"'), ("trino", '"a`b""c"')])
def test_names_of_keys_are_quoted(dialect: str, quoted: str) -> None:
    assert quoted in fill_query(AnalystQuery("history", dialect), TABLES, ['a`b"c'])


@pytest.mark.parametrize(
    ("table", "dialect", "named"),
    [
        ("predictions", "spark", "FROM delta.`/home/of/job/tables/predictions`"),
        ("predictions", "duckdb", 'FROM "predictions"'),
        ("s3://bucket/lake/late", "databricks", "FROM delta.`s3://bucket/lake/late`"),
        ("s3://bucket/lake/late", "duckdb", 'FROM "late"'),
        ("s3://bucket/lake/late.v2", "duckdb", 'FROM "late.v2"'),
        ("lake.late", "databricks", "FROM `lake`.`late`"),
        ("lake.late", "trino", 'FROM "lake"."late"'),
    ],
)
def test_a_table_is_named_as_the_engine_knows_it(table: str, dialect: str, named: str) -> None:
    assert named in build_query(settings_of(output={"table": table}), "history", dialect=dialect)


@pytest.mark.parametrize(("name", "dialect"), [("../spark/latest", "spark"), ("latest", "mysql"), ("", "spark")])
def test_another_name_or_dialect_is_refused(name: str, dialect: str) -> None:
    with pytest.raises(ConfigError, match="is not known"):
        build_query(settings_of(), name, dialect=dialect)


def test_keys_that_the_source_no_longer_has_are_left_out_where_they_are_marked() -> None:
    source = {"table": "flights", "keys": ["id"], "read": "changes", "on_delete": "mark"}
    for dialect in DIALECTS:  # older versions of Trino have no IS NOT TRUE
        for name in ("latest", "history", "changes", "movers"):
            text = build_query(settings_of(source=source), name, dialect=dialect)
            assert "_source_deleted IS DISTINCT FROM TRUE" in text
    assert "_source_deleted" not in build_query(settings_of(), "latest")


def test_the_source_says_what_it_is_for() -> None:
    assert all(Path(file).read_text("utf-8").startswith("-- ") for file in (QUERY_FOLDER / "spark").glob("*.sql"))
