"""Tells lineage what an attempt reads and writes, each time that it records an event. Fails no run."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial

import pyarrow as pa
import structlog
from pyspark.sql import SparkSession

from sparkscore.monitor.lineage.dataset_names import name_catalog_dataset, name_path_dataset, name_source_dataset
from sparkscore.monitor.lineage.lineage_delivery import LineageDelivery, check_lineage_target, job_namespace
from sparkscore.monitor.lineage.lineage_events import LINEAGE_STATES, build_lineage_event
from sparkscore.monitor.lineage.parent_runs import find_parent_run
from sparkscore.records import (
    CORRUPT_COLUMN,
    MICRO_BATCH_FORMAT,
    MICRO_BATCH_TEXT_FORMAT,
    DatasetKind,
    DatasetName,
    LineageContext,
    LineageDataset,
    LineageField,
    RunEvent,
    RunLineage,
)
from sparkscore.redaction.secret_patterns import mask_secrets, shorten_redacted
from sparkscore.settings import Settings
from sparkscore.settings.source_settings import DELTA_FORMAT
from sparkscore.spark.settable_conf import read_setting
from sparkscore.spark.type_mapping import arrow_to_spark_type, describe_source_type
from sparkscore.store.table import Table

log = structlog.get_logger("sparkscore")
_METASTORES, _WORKSPACE = "spark.hadoop.hive.metastore.uris", "spark.databricks.workspaceUrl"


class LineageReporter:
    """Sends the lineage of one attempt. Whatever goes wrong is a problem that `close` returns."""

    def __init__(self, settings: Settings, session: SparkSession | None, *, source: Table, target: Table) -> None:
        self._settings, self._session = settings, session
        self._source, self._target = source, target
        self._delivery, self._problem = LineageDelivery(settings.lineage), ""
        self._known: dict[str, RunLineage] = {}
        self._has_started = False

    @classmethod
    def open(
        cls, settings: Settings, session: SparkSession | None, *, source: Table, target: Table
    ) -> "LineageReporter | None":
        """The reporter of an attempt; None where the config asks for none.

        Raises:  ConfigError where the events cannot be sent, or have no target.
        """
        if not settings.lineage.enabled:
            return None
        check_lineage_target(settings.lineage, os.environ)
        return cls(settings, session, source=source, target=target)

    def describe(self, run_id: str, lineage: RunLineage) -> None:
        """Keep what a run reads and writes, for its events."""
        self._known[run_id] = lineage

    def report(self, events: Sequence[RunEvent]) -> None:
        """Send those of the events that begin or end an attempt. Returns at once; never raises."""
        for event in events:
            if event.event in LINEAGE_STATES and event.run_id is not None:
                try:
                    self._send(event)
                except Exception as error:  # noqa: BLE001  whatever it is, it is no reason to fail a run
                    self._problem = shorten_redacted(f"{type(error).__name__}: {error}", 300)

    def close(self) -> str | None:
        """Wait for what is on its way, a limited time; in words, what was not sent. Never raises."""
        return self._delivery.close() or self._problem or None

    def _send(self, event: RunEvent) -> None:
        lineage = self._known.get(event.run_id or "") or self._recovered_lineage(event)
        if event.event == "failed" and not self._has_started:  # an attempt begins for lineage as soon as it has pins
            start = replace(event, event="started", exit_code=None)
            self._delivery.send(partial(build_lineage_event, start, lineage, self._context))
        self._has_started |= event.event == "started"
        self._delivery.send(partial(build_lineage_event, event, lineage, self._context))

    def _recovered_lineage(self, event: RunEvent) -> RunLineage | None:
        """Of a publication whose event was lost: its start has told the columns."""
        if event.event != "published" or event.pins is None:
            return None
        version = None if self._settings.source.is_landed else str(event.pins.source_version)
        return RunLineage(self.describe_source(version), self.describe_table(self._target))

    @cached_property
    def _context(self) -> LineageContext:
        parent, spark = None, self._session
        with suppress(Exception):  # a parent that nobody can tell is none
            parent = find_parent_run(self._settings.lineage.parent, os.environ, self._read_conf)
        return LineageContext(
            job_namespace(self._settings.lineage),
            parent,
            None if spark is None else str(spark.version),
            mask_secrets(self._settings.model.uri),
        )

    def describe_source(self, version: str | None, fields: tuple[LineageField, ...] = ()) -> LineageDataset:
        """The source of the config; one without versions as itself, not as the table in which it is landed."""
        settings = self._settings.source
        if not settings.is_landed:
            return self.describe_table(self._source, version, fields)
        if settings.format == MICRO_BATCH_TEXT_FORMAT:
            return LineageDataset(DatasetName("kafka", settings.table), "TOPIC", version, fields=fields)
        if settings.format == MICRO_BATCH_FORMAT:
            named = Table.from_name(self._session, settings.table, home=self._settings.home_uri)
            return self.describe_table(named, version, fields)
        if settings.format.lower() == "view":
            return LineageDataset(self._catalog_name(settings.table), "VIEW", version, fields=fields)
        name = name_source_dataset(settings.format, settings.table, settings.shown_options)
        kind: DatasetKind = "FILE" if "/" in settings.table else "TABLE"
        return LineageDataset(name, kind, version, settings.format.lower(), fields)

    def describe_table(
        self, table: Table, version: str | None = None, fields: tuple[LineageField, ...] = ()
    ) -> LineageDataset:
        """A Delta table by its name in a catalog, with where it lies as a second name; else by where it lies."""
        if table.path is not None:
            return LineageDataset(name_path_dataset(table.path), "TABLE", version, DELTA_FORMAT, fields)
        place = _find_location(table)
        location = None if place is None else name_path_dataset(place)
        return LineageDataset(self._catalog_name(table.name), "TABLE", version, DELTA_FORMAT, fields, location)

    def _catalog_name(self, table: str) -> DatasetName:
        return name_catalog_dataset(
            table, metastores=self._read_conf(_METASTORES), workspace=self._read_conf(_WORKSPACE)
        )

    def _read_conf(self, name: str) -> str | None:
        return None if self._session is None else read_setting(self._session, name)


def schema_fields(schema: pa.Schema) -> tuple[LineageField, ...]:
    """The columns of a source, with their types as Spark names them."""
    return tuple(LineageField(one.name, _lineage_type(one)) for one in schema if one.name != CORRUPT_COLUMN)


def _lineage_type(column: pa.Field) -> str:
    named = describe_source_type(column)
    return named if named != str(column.type) else arrow_to_spark_type(column.type).simpleString()


def _find_location(table: Table) -> str | None:
    """None where only Spark reaches it, or where it is not there yet."""
    try:
        return table.location.uri
    except Exception:  # noqa: BLE001  whatever the catalog says of it, the name is enough
        return None
