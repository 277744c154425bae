"""Gates for people: a suite that a table suggests, and a suite held against a table. Nothing is written to tables."""

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from sparkscore.gate import check as checks
from sparkscore.gate.suggest import suggested
from sparkscore.gate.suite import load_suite
from sparkscore.records import TableRef, Verdict
from sparkscore.settings import Settings
from sparkscore.store.isolation import run_session
from sparkscore.store.names import table_ref
from sparkscore.store.tables import load, newest_version


def suggest(spark: SparkSession, settings: Settings, *, table: str) -> dict[str, Any]:
    """A suite as JSON data for a table as it is now, with the reason beside each rule.

    Of columns in `source.sensitive` no value is told.

    Jobs:    two that read the whole table.
    Raises:  TableNotFound, NameRefused.
    """
    frame, version, ref = _newest(spark, settings, table)
    return suggested(frame, name=ref.name, version=version, sensitive=settings.source.sensitive)


def check(spark: SparkSession, settings: Settings, *, table: str, suite: str) -> tuple[Verdict, list[checks.Line]]:
    """The verdict of a suite (a file) over a table as it is now, with keys (`source.keys`) of rows that break a rule.

    Jobs:    as `gate.judge`, and one for each broken rule of rows.
    Raises:  TableNotFound, NameRefused, ConfigError for a suite that does not fit the table.
    """
    frame, _, _ = _newest(spark, settings, table)
    found = load_suite(suite, home=settings.home_uri)
    return checks.check(frame, found, keys=_there(settings.source.keys, frame), sensitive=settings.source.sensitive)


def _newest(spark: SparkSession, settings: Settings, table: str) -> tuple[DataFrame, int, TableRef]:
    session, ref = run_session(spark), table_ref(table, home=settings.home_uri)
    version = newest_version(session, ref)
    return load(session, ref, version), version, ref


def _there(keys: Sequence[str], frame: DataFrame) -> Sequence[str]:
    return keys if set(keys) <= set(frame.columns) else ()
