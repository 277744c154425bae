"""Which settings of the caller's session reach the sessions of a run. Pure: names and values.

A run's own session starts from two sources: the conf of the SparkContext (spark-submit's `--conf`, spark-defaults.conf)
and what the caller has set since. Settings that change how Delta writes or reads are left out or reset, so that the
tables are the same whoever starts the run; settings that say how to reach storage and how fast to work are kept.

Source:  Delta 4.4 `DeltaSQLConf` (all 343 registered settings), Spark 4.2 `SQLConf`; what Databricks adds, from its
         documentation. docs/decisions/session-settings.md lists the kinds.
"""

from collections.abc import Mapping

DELTA = "spark.databricks.delta."
"""Guards, user metadata, MERGE, defaults of tables, checks that can be switched off: `REACHING` names what is kept."""

TIME_TRAVEL_LIMIT = "spark.databricks.delta.vacuum.enforceTimeTravelWithinDeletedFileRetentionDuration"
"""Delta refuses to read versions that are older than a week (`delta.deletedFileRetentionDuration`), also where all
their files are there; false reads them."""

REACHING: Mapping[str, str] = {
    "spark.databricks.delta.snapshotPartitions": "how many tasks read a log",
    "spark.databricks.delta.snapshotCache.": "where the driver keeps what it has read of a log",
    "spark.databricks.delta.delta.log.": "how many logs the driver keeps in memory, and how long",
    "spark.databricks.delta.history.threadPoolSize": "how many threads read a history",
    "spark.databricks.delta.catalog.": "how the catalog that owns a table is asked and told",
    "spark.databricks.delta.coordinatedCommits.commitCoordinator.": "how to reach the service that orders commits",
    "spark.databricks.delta.multiClusterWrites.enabled": "which service of Databricks orders commits on S3",
    TIME_TRAVEL_LIMIT: "whether an old version may be read: files of it that are gone are an error all the same",
}
"""Delta's settings that are kept, by name or by prefix (which ends with a dot), and why."""

STEERING: Mapping[str, str] = {
    "spark.sql.ansi.": "a cast or an overflow would be NULL or another number, not an error",
    "spark.sql.caseSensitive": "two columns of one name",
    "spark.sql.charAsVarchar": "other types in new tables",
    "spark.sql.decimalOperations.": "other digits",
    "spark.sql.defaultColumn.": "other values for columns that are absent",
    "spark.sql.files.ignore": "rows of damaged or missing files would be dropped silently",
    "spark.sql.files.maxRecordsPerFile": "how many files a write makes",
    "spark.sql.legacy.": "behaviour of older Spark versions: casts, NULLs, dates, options of readers and writers",
    "spark.sql.mapKeyDedupPolicy": "keys of maps would be dropped silently",
    "spark.sql.maxConcurrentOutputFileWriters": "how many files a write makes",
    "spark.sql.parquet.annotateVariantLogicalType": "other types in files",
    "spark.sql.parquet.binaryAsString": "other types read from files",
    "spark.sql.parquet.datetimeRebaseMode": "days of another calendar, read and written",
    "spark.sql.parquet.fieldId.": "columns found by number, not by name",
    "spark.sql.parquet.ignoreVariantAnnotation": "other types read from files",
    "spark.sql.parquet.inferTimestampNTZ.": "other types read from files",
    "spark.sql.parquet.int96": "times of another calendar or zone, read and written",
    "spark.sql.parquet.mergeSchema": "other columns read from files",
    "spark.sql.parquet.output": "other types in files, another committer",
    "spark.sql.parquet.respectSummaryFiles": "other columns read from files",
    "spark.sql.parquet.timestampNTZ.": "other types in files",
    "spark.sql.parquet.variant.": "other types in files",
    "spark.sql.parquet.writeLegacyFormat": "other types in files",
    "spark.sql.preserveCharVarcharTypeInfo": "other types in new tables",
    "spark.sql.readSideCharPadding": "other text read from CHAR columns",
    "spark.sql.retainGroupColumns": "aggregates without their groups",
    "spark.sql.session.collation.": "how texts compare",
    "spark.sql.sources.commitProtocolClass": "how files become visible",
    "spark.sql.sources.default": "the format of tables whose format nobody names",
    "spark.sql.sources.outputCommitterClass": "how files become visible",
    "spark.sql.sources.partitionColumnTypeInference.": "other types of partitions",
    "spark.sql.sources.partitionOverwriteMode": "what an overwrite removes",
    "spark.sql.sources.validatePartitionColumns": "a check",
    "spark.sql.storeAssignmentPolicy": "what a MERGE and an append cast silently",
    "spark.sql.timeTravel": "the name of the option that pins a version",
    "spark.sql.timestampType": "what TIMESTAMP means",
}
"""Settings that are Spark's defaults in a run's sessions, by name or by the beginning of it, and what they do."""

SUBSTITUTION = "spark.sql.variable.substitute"
"""Puts settings in the place of `${name}` in SQL. Where nobody can switch it off, such paths are refused."""
FIXED: Mapping[str, str] = {
    "spark.sql.session.timeZone": "UTC",
    # its default depends on a variable of the environment (SPARK_ANSI_SQL_MODE)
    "spark.sql.ansi.enabled": "true",
    # `${name}` in a path is a part of the path, not a setting of the caller
    SUBSTITUTION: "false",
}
"""Settings with one value in all sessions of a run."""


RIGHT_VALUES: Mapping[str, frozenset[str]] = {
    "spark.sql.session.timeZone": frozenset({"utc", "etc/utc", "gmt", "etc/gmt", "z", "+00:00"}),
    "spark.sql.ansi.enabled": frozenset({"true"}),
    "spark.sql.caseSensitive": frozenset({"false"}),
    "spark.sql.files.ignoreCorruptFiles": frozenset({"false"}),
    "spark.sql.files.ignoreMissingFiles": frozenset({"false"}),
    "spark.sql.legacy.timeParserPolicy": frozenset({"exception", "corrected"}),
    "spark.sql.mapKeyDedupPolicy": frozenset({"exception"}),
    "spark.sql.parquet.binaryAsString": frozenset({"false"}),
    "spark.sql.parquet.datetimeRebaseModeInRead": frozenset({"exception", "corrected"}),
    "spark.sql.parquet.datetimeRebaseModeInWrite": frozenset({"exception", "corrected"}),
    "spark.sql.parquet.int96AsTimestamp": frozenset({"true"}),
    "spark.sql.parquet.int96RebaseModeInRead": frozenset({"exception", "corrected"}),
    "spark.sql.parquet.int96RebaseModeInWrite": frozenset({"exception", "corrected"}),
    "spark.sql.session.collation.default": frozenset({"utf8_binary"}),
    "spark.sql.sources.partitionOverwriteMode": frozenset({"static"}),
    "spark.sql.storeAssignmentPolicy": frozenset({"ansi", "strict"}),
    "spark.sql.timestampType": frozenset({"timestamp_ltz"}),
    "spark.databricks.delta.commitInfo.userMetadata": frozenset(),
    "spark.databricks.delta.schema.autoMerge.enabled": frozenset({"false"}),
    "spark.databricks.delta.write.txnAppId": frozenset(),
    "spark.databricks.delta.write.txnVersion": frozenset(),
}
"""What a setting may be, in small letters, where a session lets nobody change it: with any other value rows would be
lost or be others. Without one: it must be absent. Of other steering settings the platform's values are good enough."""

MUST_BE_KNOWN = frozenset({"spark.sql.session.timeZone", "spark.sql.ansi.enabled"})
"""Where nobody can even read them they are refused, too: their defaults depend on the machine."""


def is_right_value(name: str, value: str | None) -> bool:
    """Whether a run can live with a setting that it can neither set nor unset. None: not set, or nobody may read it."""
    right = RIGHT_VALUES.get(name)
    if right is None or (value is None and name not in MUST_BE_KNOWN):
        return True
    return value is not None and value.lower() in right


def is_steering(name: str) -> bool:
    """Whether a setting changes how Delta tables are written or read, so that a run does not take the caller's."""
    if name.startswith(DELTA):
        return not any(name == kept or (kept.endswith(".") and name.startswith(kept)) for kept in REACHING)
    return name.startswith(tuple(STEERING)) or name in FIXED


def settings_to_change(theirs: Mapping[str, str], found: Mapping[str, str]) -> Mapping[str, str | None]:
    """The settings to change so that a new session is a run's: a value each, None for one that must be unset.

    Needs:   `theirs`, the settings of the caller's session; `found`, those of the new one as Spark makes it.
    """
    kept = {name: value for name, value in theirs.items() if not is_steering(name)}
    wanted = {**kept, **FIXED}
    gone: dict[str, str | None] = {name: None for name in found if is_steering(name) and name not in wanted}
    return gone | {name: value for name, value in wanted.items() if found.get(name) != value}
