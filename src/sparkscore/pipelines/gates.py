"""Gates for people: a suite that a table suggests, and a suite held against a table. Nothing is written to tables."""

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from sparkscore.gate import suite_check as checks
from sparkscore.gate.suite_loading import load_suite
from sparkscore.gate.suite_suggestion import suggest_suite
from sparkscore.records import Verdict
from sparkscore.settings import Settings
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.store.table import Table


def suggest_suite_for_table(spark: SparkSession, settings: Settings, *, table: str) -> dict[str, Any]:
    """A suite as JSON data for the current version of a table, with a reason beside each rule.

    Of columns in `source.sensitive` no value is told.

    Jobs:    two that read the whole table.
    Raises:  TableNotFound, NameRefused.
    """
    frame, version, found = _load_newest_rows(spark, settings, table)
    return suggest_suite(frame, name=found.name, version=version, sensitive=_sensitive_columns(settings))


def check_table_with_suite(
    spark: SparkSession, settings: Settings, *, table: str, suite: str
) -> tuple[Verdict, list[checks.SuiteCheckLine]]:
    """The verdict of a suite (a file) over a table as it is now, with keys (`source.keys`) of rows that break a rule.

    Jobs:    as `gate.verdicts`, and one for each broken rule of rows.
    Raises:  TableNotFound, NameRefused, ConfigError for a suite that does not fit the table.
    """
    frame, _, _ = _load_newest_rows(spark, settings, table)
    found = load_suite(suite, home=settings.home_uri)
    keys = _present_keys(settings.source.keys, frame) or _present_keys(settings.output_keys, frame)
    return checks.check_suite(frame, found, keys=keys, sensitive=_sensitive_columns(settings))


def _load_newest_rows(spark: SparkSession, settings: Settings, table: str) -> tuple[DataFrame, int, Table]:
    found = Table.from_name(create_run_session(spark), table, home=settings.home_uri)
    version = found.load_newest_version()
    return found.load_rows(version), version, found


def _sensitive_columns(settings: Settings) -> tuple[str, ...]:
    """By their names in the source and in the prediction table: it may be either that is judged."""
    return tuple(dict.fromkeys((*settings.source.sensitive, *settings.output_sensitive)))


def _present_keys(keys: Sequence[str], frame: DataFrame) -> Sequence[str]:
    return keys if set(keys) <= set(frame.columns) else ()
