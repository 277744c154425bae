"""Rows for training with the features that scoring gives them: as of the time of each label."""

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError
from sparkscore.ingest.features.as_of_join import join_features
from sparkscore.ingest.features.feature_checks import extend_with_features
from sparkscore.ingest.features.feature_values import FeatureTable
from sparkscore.pipelines.shared.feature_pinning import feature_schemas, open_configured_features
from sparkscore.records import FLAG_AMBIGUOUS, FLAG_BITS, ROW_FLAGS_COLUMN, RowTimes
from sparkscore.settings import Settings
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.package_shipping import ship_package
from sparkscore.spark.type_mapping import spark_to_arrow_schema
from sparkscore.store.table import Table


def training_frame(
    spark: SparkSession,
    settings: Settings,
    labels: DataFrame | str,
    *,
    event_time: str | None = None,
    event_timezone: str | None = None,
) -> DataFrame:
    """The labels with the features of `source.features`, each row as of its own time: what a run at that time scored.

    `labels`: a frame, or the name of a Delta table, with the columns that are the keys of the features, with
    `event_time` (default: `source.event_time`), and with whatever else training needs. Rows without a value get NULL.

        frame = training_frame(spark, Settings.load("churn.yaml"), "churn_labels", event_time="label_time")

    Grain:   as the labels.
    Jobs:    one that reads the event times, one for each small feature table. Reading the frame fails where a feature
             table has two values of one time for a row's key.
    Raises:  ConfigError without features, and for columns that are absent or do not fit; TableNotFound.
    """
    source = settings.source
    if not source.features:
        raise ConfigError("a config without source.features", "feature tables", "name them; else the labels are all")
    column, zone = (event_time, event_timezone) if event_time else (source.event_time, source.event_timezone)
    if column is None:
        raise ConfigError(
            "labels without the time of each",
            "a column with the time as of which each row gets its features",
            "give event_time, or set source.event_time",
        )
    name = labels if isinstance(labels, str) else "the labels"
    rows = Table.from_name(spark, labels, home=settings.home_uri).load_rows() if isinstance(labels, str) else labels
    ship_package(rows.sparkSession)
    tables = open_configured_features(rows.sparkSession, settings)
    times = RowTimes(column, zone)
    joins = [(one.join, schema) for one, schema in zip(tables, feature_schemas(tables), strict=True)]
    extend_with_features(spark_to_arrow_schema(rows.schema), joins, times, rows=name)
    joined = join_features(rows, tables, times)
    named = [name for name in joined.columns if name != ROW_FLAGS_COLUMN]
    return joined.where(_raise_for_several(tables)).selectExpr(*map(quote_identifier, named))


def _raise_for_several(tables: list[FeatureTable]) -> Column:
    """True; ends the query at a row for which there are several values."""
    condition = F.lit(True)
    for place, one in enumerate(tables):
        told = F.raise_error(F.lit(f"the feature table {one.join.table} has several values of one time for one key"))
        is_hit = F.col(ROW_FLAGS_COLUMN).bitwiseAND(F.lit(FLAG_AMBIGUOUS << FLAG_BITS * place)) != 0
        condition = F.when(is_hit, told.cast("boolean")).otherwise(condition)
    return condition
