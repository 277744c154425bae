"""The feature tables of a run, each at one version, which is a part of the run's pins."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, PinsConflict
from sparkscore.ingest.features.feature_values import FeatureTable
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import PinnedTable, Pins, RowTimes
from sparkscore.settings import Settings
from sparkscore.settings.feature_settings import FeatureTableSettings
from sparkscore.spark.type_mapping import spark_to_arrow_schema
from sparkscore.store.table import Table
from sparkscore.store.table_log import TableLog


def pin_features(attempt: Attempt, keep: Pins | None) -> tuple[PinnedTable, ...]:
    """The feature tables in the order of the config, at the versions that are kept, else at those that it means.

    Jobs:    none.
    Raises:  TableNotFound; ConfigError for a version that does not exist.
    """
    if keep is not None:
        return keep.additions.features
    settings = attempt.settings
    return tuple(
        _pin_feature_table(_open_feature_table(attempt.session, settings, one), one, attempt.as_of)
        for one in settings.source.features
    )


def open_configured_features(spark: SparkSession, settings: Settings) -> list[FeatureTable]:
    """The feature tables for training: where the config says `as_of`, at their newest version, of which the join takes
    what was known at the time of each row.

    Jobs:    none.
    Raises:  as `pin_features`.
    """
    found = [(_open_feature_table(spark, settings, one), one) for one in settings.source.features]
    return [_load_feature_table(table, one, _pin_feature_table(table, one, None)) for table, one in found]


def _pin_feature_table(table: Table, feature: FeatureTableSettings, as_of: datetime | None) -> PinnedTable:
    newest = table.load_newest_version()
    if feature.version == "as_of" and as_of is not None:
        return PinnedTable(table.id, table.find_version_at(as_of))
    if not isinstance(feature.version, int):
        return PinnedTable(table.id, newest)
    if feature.version > newest:
        raise ConfigError(
            f"no version {feature.version} of the feature table {table.name}",
            f"0 to {newest}",
            "change version in source.features",
        )
    return PinnedTable(table.id, feature.version)


def _open_feature_table(spark: SparkSession | None, settings: Settings, feature: FeatureTableSettings) -> Table:
    return Table.from_name(spark, feature.table, home=settings.home_uri)


def load_feature_tables(attempt: Attempt, pins: Sequence[PinnedTable]) -> list[FeatureTable]:
    """The feature tables at their pinned versions.

    Jobs:    none.
    Raises:  PinsConflict for a table that was made anew since; VersionGone for a version that is gone.
    """
    return [
        _load_feature_table(_open_feature_table(attempt.session, attempt.settings, one), one, pin)
        for one, pin in zip(attempt.settings.source.features, pins, strict=True)
    ]


def _load_feature_table(table: Table, feature: FeatureTableSettings, pin: PinnedTable) -> FeatureTable:
    if table.id != pin.id:
        raise PinsConflict(
            f"the feature table {table.name} was made anew since the previous attempt",
            "the table that it has pinned",
            "--restart pins source, features and model again",
        )
    return FeatureTable(feature.to_join(), table.load_rows(pin.version), _sum_file_sizes(table, pin))


def _sum_file_sizes(table: Table, pin: PinnedTable) -> int | None:
    """The bytes of the files of a version; None where only Spark knows."""

    def add_up(log: TableLog) -> int:
        files = pa.table(log.open_version(pin.version).get_add_actions(flatten=True))
        return int(pc.sum(files["size_bytes"]).as_py() or 0)

    return table.ask_log(add_up)


def feature_schemas(tables: Sequence[FeatureTable]) -> list[pa.Schema]:
    """The columns of each feature table."""
    return [spark_to_arrow_schema(one.rows.schema) for one in tables]


def find_row_times(attempt: Attempt) -> RowTimes:
    """As of which times the features are joined."""
    source = attempt.settings.source
    return RowTimes(source.event_time, source.event_timezone, round(attempt.as_of.timestamp() * 1_000_000))


def find_newer_features(attempt: Attempt, pins: Pins) -> dict[str, int]:
    """The feature tables that have a newer version than the pinned one, and that version.

    Jobs:    none.
    Raises:  TableNotFound, and whatever else a log that cannot be read raises.
    """
    wanted = zip(attempt.settings.source.features, pins.additions.features, strict=False)
    newest = {
        one.table: (_open_feature_table(attempt.session, attempt.settings, one).load_newest_version(), pin.version)
        for one, pin in wanted
        if one.version == "latest"
    }
    return {name: now for name, (now, pinned) in newest.items() if now > pinned}


def other_feature_versions(settings: Settings, pins: Pins) -> dict[str, tuple[object, object]]:
    """Of each feature table the version that the config names explicitly, and the pinned one."""
    wanted = zip(settings.source.features, pins.additions.features, strict=False)
    return {
        f"version of the feature table {one.table}": (one.version, pin.version)
        for one, pin in wanted
        if isinstance(one.version, int)
    }
