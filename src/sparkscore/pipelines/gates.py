"""Gates for people: a suite that a table suggests, and a suite held against a table. Nothing is written to tables."""

import difflib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from sparkscore.errors import ConfigError
from sparkscore.gate import suite_check as checks
from sparkscore.gate.suite_loading import load_suite
from sparkscore.gate.suite_suggestion import suggest_suite
from sparkscore.ingest.landing.source_reading import read_source_columns, read_source_rows
from sparkscore.pipelines.shared.source_landing import describe_unversioned_source
from sparkscore.records import CORRUPT_COLUMN, Verdict
from sparkscore.settings import Settings
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.store.landing_tables import load_pinned_schema
from sparkscore.store.table import Table


def suggest_suite_for_table(spark: SparkSession, settings: Settings, *, table: str) -> dict[str, Any]:
    """A suite as JSON data for the current version of a table, with a reason beside each rule.

    Of columns in `source.sensitive` no value is told.

    Jobs:    two that read the whole table.
    Raises:  TableNotFound, NameRefused, ConfigError for a sensitive column that is not there.
    """
    frame, version, found = _load_newest_rows(spark, settings, table)
    sensitive = _find_sensitive_columns(settings, table, frame)
    return suggest_suite(frame, name=found.name, version=version, sensitive=sensitive)


def check_table_with_suite(
    spark: SparkSession, settings: Settings, *, table: str, suite: str
) -> tuple[Verdict, list[checks.SuiteCheckLine]]:
    """The verdict of a suite (a file) over a table as it is now, with keys (`source.keys`) of rows that break a rule.

    Jobs:    as `gate.verdicts`, and one for each broken rule of rows.
    Raises:  TableNotFound, NameRefused, ConfigError for a suite that does not fit the table, and for a sensitive column
             that is not there.
    """
    frame, _, _ = _load_newest_rows(spark, settings, table)
    found = load_suite(suite, home=settings.home_uri)
    return checks.check_suite(
        frame,
        found,
        keys=_present_keys(settings.source.keys, frame) or _present_keys(settings.output_keys, frame),
        sensitive=_find_sensitive_columns(settings, table, frame),
    )


def _load_newest_rows(spark: SparkSession, settings: Settings, table: str) -> tuple[DataFrame, int | None, Table]:
    found = Table.from_name(create_run_session(spark), table, home=settings.home_uri)
    if settings.source.is_landed and table == settings.source.table:
        return _load_source_rows(found.spark, settings), None, found
    version = found.load_newest_version()
    return found.load_rows(version), version, found


def _load_source_rows(spark: SparkSession, settings: Settings) -> DataFrame:
    """The records of a source without versions as it is now, without its filter, as for a table; nothing is landed."""
    source = replace(describe_unversioned_source(settings), where=())
    pinned = partial(load_pinned_schema, spark, settings.landing_uri)
    rows = read_source_rows(spark, source, read_source_columns(spark, source, pinned=pinned))
    return rows.where(f"{CORRUPT_COLUMN} IS NULL").drop(CORRUPT_COLUMN) if CORRUPT_COLUMN in rows.columns else rows


def _present_keys(keys: Sequence[str], frame: DataFrame) -> Sequence[str]:
    return keys if set(keys) <= set(frame.columns) else ()


def _find_sensitive_columns(settings: Settings, table: str, frame: DataFrame) -> list[str]:
    """The columns that `source.sensitive` names, as the table spells them: Spark takes names in either case.

    A config's names are those of its source, and by `output.rename` of its predictions; other tables may have some.

    Raises:  ConfigError for a name that the source, or a table without a config, does not have: its values would show.
    """
    named = {name.lower() for name in (*settings.source.sensitive, *settings.output_sensitive)}
    absent = [name for name in settings.source.sensitive if name.lower() not in map(str.lower, frame.columns)]
    if absent and (not settings.job or table == settings.source.table):
        near = difflib.get_close_matches(absent[0], frame.columns, n=1)
        raise ConfigError(
            f"{table} has no sensitive column {absent[0]}{f' (nearest: {near[0]})' if near else ''}",
            f"columns of the table: {', '.join(frame.columns[:30])}",
            "correct source.sensitive",
        )
    return [name for name in frame.columns if name.lower() in named]
