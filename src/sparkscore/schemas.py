"""Every table that the suite writes, as data: columns, types, units, grain, comments. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

TIMESTAMP = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class ContractColumn:
    """One column of a contract."""

    name: str
    type: pa.DataType
    comment: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class TableContract:
    """One table of the suite: its grain, its columns in order, its partition columns."""

    comment: str
    columns: tuple[ContractColumn, ...]
    partitioned_by: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def schema(self) -> pa.Schema:
        """The contract as a pyarrow schema."""
        return pa.schema([pa.field(column.name, column.type, column.nullable) for column in self.columns])


VERB_COLUMN = ContractColumn(
    "verb", pa.string(), "The verb whose attempt it is: score, rollback or rejects; NULL in tables of schema 1."
)


@dataclass(frozen=True, slots=True)
class SchemaStep:
    """What a version of the contracts adds to the one before. Only adds: readers of the older columns go on."""

    version: int
    meaning: str
    added: Mapping[str, tuple[ContractColumn, ...]] = field(default_factory=dict)
    """Columns that may be NULL, by the suffix of the table's name; the prediction table has none."""


SCHEMA_STEPS = (
    SchemaStep(
        2,
        "A prediction table may have columns that its job no longer writes; run events name their verb.",
        {"_runs": (VERB_COLUMN,)},
    ),
)
"""The migrations of all tables of a job. A stage needs none: it is named by all that decides on its columns."""
SCHEMA_VERSION = SCHEMA_STEPS[-1].version
"""Version of these contracts; stands in each table's property `sparkscore.schema`."""


def columns_added_since(version: int, suffix: str) -> tuple[ContractColumn, ...]:
    """The columns that a table of an older version lacks."""
    steps = [step for step in SCHEMA_STEPS if step.version > version]
    return tuple(column for step in steps for column in step.added.get(suffix, ()))


LINEAGE_COLUMNS: tuple[ContractColumn, ...] = (
    ContractColumn("model_name", pa.string(), "Registered name of the model."),
    ContractColumn("model_version", pa.string(), "Version of the model in the registry."),
    ContractColumn(
        "model_id", pa.string(), "MLflow's id of the logged model; empty for models logged before MLflow 3."
    ),
    ContractColumn("run_id", pa.string(), "The scoring run that published this row."),
    ContractColumn("source_version", pa.int64(), "Delta version of the source table that was scored."),
    ContractColumn("as_of", TIMESTAMP, "The logical time that the run stands for, UTC.", nullable=False),
    ContractColumn("as_of_date", pa.date32(), "Partition: the UTC date of as_of.", nullable=False),
    ContractColumn("scored_at", TIMESTAMP, "When the run was published, UTC."),
)
"""Constant for a run; added by the publish, never written to the stage."""
RUN_CONSTANTS = frozenset(column.name for column in LINEAGE_COLUMNS)
"""Their names."""

PREDICTION_COLUMN = "prediction"
LABEL_COLUMN = "label"
REJECT_COLUMN = "_reject"
"""Of the stage: why a row was rejected, of `REJECT_TYPE`; NULL for the others."""
GONE_COLUMN = "_gone"
"""Of what a MERGE reads: the key is to be deleted."""
BINARY_CLASSES = 2
"""Probabilities of a prediction from which the positive one, the last, is taken; one alone is the positive one."""
REJECT_TYPE = pa.struct([("code", pa.string()), ("error", pa.string()), ("message", pa.string())])
"""Why a row was rejected: the reason's code, the class of the model's error where it raised, and words for people.
NULL in the stage for rows with a prediction."""


def build_reject_array(codes: pa.Array, errors: pa.Array, messages: pa.Array) -> pa.StructArray:
    """Rejects of `REJECT_TYPE`, NULL where the code is NULL.

    Shapes:  three times n texts -> n structs.
    """
    return pa.StructArray.from_arrays([codes, errors, messages], fields=list(REJECT_TYPE), mask=codes.is_null())


def repeat_reject(rows: int, code: str, error: str | None, message: str) -> pa.StructArray:
    """The same reject for each of so many rows."""
    parts = zip(REJECT_TYPE, (code, error, message), strict=True)
    return pa.repeat(pa.scalar({field.name: part for field, part in parts}, REJECT_TYPE), rows)


_WINDOW_TYPE = pa.struct([("start", TIMESTAMP), ("end", TIMESTAMP)])
_MONITORING_COLUMNS: tuple[ContractColumn, ...] = (
    ContractColumn(
        "window", _WINDOW_TYPE, "The logical time that is described: from start to end, both within.", nullable=False
    ),
    ContractColumn("granularity", pa.string(), "What the window is: run (one as_of), or baseline.", nullable=False),
    ContractColumn("slice_key", pa.string(), "The column by which rows are told apart; NULL: all rows."),
    ContractColumn("slice_value", pa.string(), "Its value in these rows."),
    ContractColumn("column_name", pa.string(), "The column that is described.", nullable=False),
    ContractColumn("log_type", pa.string(), "input or prediction.", nullable=False),
)
"""Named as in the tables of Databricks' monitors."""

PROFILE_CONTRACT = TableContract(
    comment="What the columns of each run held. One row per (run_id, log_type, column_name, slice_key, slice_value).",
    columns=(
        *_MONITORING_COLUMNS,
        ContractColumn("data_type", pa.string(), "Spark's type of the column."),
        ContractColumn("sampled_share", pa.float64(), "Share of the run's rows that were looked at, 0 to 1."),
        ContractColumn("count", pa.int64(), "Rows that were looked at.", nullable=False),
        ContractColumn("num_nulls", pa.int64(), "Rows with NULL.", nullable=False),
        ContractColumn("num_nan", pa.int64(), "Rows with NaN.", nullable=False),
        ContractColumn("percent_null", pa.float64(), "Of the rows, how many are NULL, 0 to 100."),
        ContractColumn("min", pa.float64(), "Least value. Moments are seconds, dates days since 1970; NULL for text."),
        ContractColumn("max", pa.float64(), "Greatest value."),
        ContractColumn("avg", pa.float64(), "Mean of the values."),
        ContractColumn("stddev", pa.float64(), "Standard deviation of the values, of the population."),
        ContractColumn("median", pa.float64(), "Half of the values are at most this."),
        ContractColumn("quantiles", pa.list_(pa.float64()), "At 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99."),
        ContractColumn("distinct_count", pa.float64(), "Different values; an estimate where there are many."),
        ContractColumn(
            "frequent_items",
            pa.list_(pa.struct([("item", pa.string()), ("count", pa.int64())])),
            "The most frequent values of text and booleans, with their rows.",
        ),
        ContractColumn(
            "points", pa.list_(pa.float64()), "Ascending values that stand for all of them; profiles merge by them."
        ),
        ContractColumn("weights", pa.list_(pa.float64()), "How many rows each point stands for."),
        ContractColumn(
            "hashes", pa.list_(pa.int64()), "The smallest hashes of the values; distinct counts merge by them."
        ),
        *LINEAGE_COLUMNS,
    ),
    partitioned_by=("as_of_date",),
)

DRIFT_CONTRACT = TableContract(
    comment="How far the columns of each run are from what they were."
    " One row per (run_id, drift_type, log_type, column_name, slice_key, slice_value).",
    columns=(
        *_MONITORING_COLUMNS,
        ContractColumn("drift_type", pa.string(), "BASELINE, or CONSECUTIVE: against the run before.", nullable=False),
        ContractColumn("against", pa.string(), "What it is compared with, in words.", nullable=False),
        ContractColumn("count", pa.int64(), "Rows of this run that were looked at.", nullable=False),
        ContractColumn("count_cmp", pa.int64(), "Rows of the other side.", nullable=False),
        ContractColumn(
            "population_stability_index", pa.float64(), "0 and more; 0.1 and 0.25 are limits by convention."
        ),
        ContractColumn("js_distance", pa.float64(), "Jensen-Shannon distance, base 2, 0 to 1."),
        ContractColumn("ks_statistic", pa.float64(), "Kolmogorov-Smirnov distance of numbers, 0 to 1."),
        ContractColumn("wasserstein_distance", pa.float64(), "Of numbers, in standard deviations of the other side."),
        ContractColumn("cramers_v", pa.float64(), "Cramér's V of the chi-squared statistic, 0 to 1."),
        ContractColumn("drifted", pa.bool_(), "A distance is above its threshold.", nullable=False),
        ContractColumn("note", pa.string(), "Which distance is above which threshold, or why nothing was said."),
        ContractColumn("bins", pa.list_(pa.string()), "The bins, in words."),
        ContractColumn("shares", pa.list_(pa.float64()), "Of this run's rows in each bin."),
        ContractColumn("shares_cmp", pa.list_(pa.float64()), "Of the other side's rows in each bin."),
        *LINEAGE_COLUMNS,
    ),
    partitioned_by=("as_of_date",),
)

RESERVED_NAMES = frozenset({PREDICTION_COLUMN, LABEL_COLUMN, REJECT_COLUMN, GONE_COLUMN, *RUN_CONSTANTS})
"""Names that keys and pass-through columns may not take."""


def prediction_contract(
    keys: Sequence[ContractColumn],
    output: pa.DataType,
    passthrough: Sequence[ContractColumn],
    *,
    threshold: float | None,
) -> TableContract:
    """The prediction table of a job.

    Grain: one row per (keys, as_of).
    """
    columns = [*keys, ContractColumn(PREDICTION_COLUMN, output, "The model's output.")]
    if threshold is not None:
        columns[-1] = ContractColumn(PREDICTION_COLUMN, pa.float64(), "Probability of the positive class, 0 to 1.")
        columns.append(
            ContractColumn(
                LABEL_COLUMN,
                pa.int32(),
                f"1 where prediction >= the run's threshold ({threshold} at creation), else 0.",
            )
        )
    return TableContract(
        comment=f"Predictions of a sparkscore job. One row per ({', '.join(key.name for key in keys)}, as_of).",
        columns=(*columns, *passthrough, *LINEAGE_COLUMNS),
        partitioned_by=("as_of_date",),
    )


RUNS_CONTRACT = TableContract(
    comment="Run events of a sparkscore job, append only. One row per (as_of, revision, attempt, event).",
    columns=(
        ContractColumn("job", pa.string(), "Name of the job.", nullable=False),
        ContractColumn("as_of", TIMESTAMP, "The logical time that the run stands for, UTC.", nullable=False),
        ContractColumn(
            "revision",
            pa.int64(),
            "1 for the first publication of an as_of; --replace and --force take the next.",
            False,
        ),
        ContractColumn(
            "attempt", pa.int64(), "Counts the processes that worked on the revision, from 1.", nullable=False
        ),
        ContractColumn(
            "event", pa.string(), "started, staged, published, failed, aborted, monitored or exported.", nullable=False
        ),
        ContractColumn("at", TIMESTAMP, "When it happened, UTC.", nullable=False),
        ContractColumn(
            "run_id", pa.string(), "sha256 of job, as_of, revision and pins; NULL before the pins are known."
        ),
        ContractColumn("source_id", pa.string(), "Delta's id of the source table."),
        ContractColumn("source_table", pa.string(), "Name of the source table."),
        ContractColumn("source_version", pa.int64(), "Delta version of the source table."),
        ContractColumn("model_name", pa.string(), "Registered name of the model."),
        ContractColumn("model_version", pa.string(), "Version of the model in the registry."),
        ContractColumn("model_id", pa.string(), "MLflow's id of the logged model."),
        ContractColumn("model_digest", pa.string(), "sha256 over the model's files."),
        ContractColumn("scoring_digest", pa.string(), "sha256 over the settings that can change a row or a value."),
        ContractColumn("rows_read", pa.int64(), "Rows of the source after the filter."),
        ContractColumn("rows_scored", pa.int64(), "Rows with a prediction."),
        ContractColumn("rows_rejected", pa.int64(), "Rows kept aside with a reason."),
        ContractColumn("table_version", pa.int64(), "Delta version of the prediction table that made the run visible."),
        ContractColumn("exit_code", pa.int64(), "Exit code of the attempt, where it ended."),
        ContractColumn("error", pa.string(), "Class of the error, where it failed."),
        ContractColumn("message", pa.string(), "Message of the error, without secrets."),
        ContractColumn("details", pa.string(), "JSON: verb, verdicts, seconds per part, model loads, transport."),
        VERB_COLUMN,
    ),
)

REJECTS_CONTRACT = TableContract(
    comment="Rows that a run did not score. One row per rejected source row of a run.",
    columns=(
        ContractColumn("key", pa.string(), "The row's key columns as a JSON object.", nullable=False),
        ContractColumn(
            "code",
            pa.string(),
            "Reason: null_key, predict_failed, input_out_of_range, batch_timeout, null_prediction, or the rule that the"
            " row broke.",
            nullable=False,
        ),
        ContractColumn("error", pa.string(), "Class of the error that the model raised; NULL for a broken rule."),
        ContractColumn("message", pa.string(), "The reason in words, without values."),
        *LINEAGE_COLUMNS,
    ),
    partitioned_by=("as_of_date",),
)

SIDE_TABLES: Mapping[str, TableContract] = {
    "_runs": RUNS_CONTRACT,
    "_rejects": REJECTS_CONTRACT,
    "_profile": PROFILE_CONTRACT,
    "_drift": DRIFT_CONTRACT,
}
"""The tables beside a job's prediction table, by the suffix of their names."""

_ROWS = ("count", "count_cmp", "num_nulls", "num_nan", "weights", "rows_read", "rows_scored", "rows_rejected")
_VALUES = ("min", "max", "avg", "stddev", "median", "quantiles", "points")
COLUMN_UNITS: Mapping[str, str] = {
    **dict.fromkeys(_ROWS, "rows"),
    **dict.fromkeys(_VALUES, "that of the column"),
    **dict.fromkeys(("sampled_share", "shares", "shares_cmp"), "share, 0 to 1"),
    **dict.fromkeys(("js_distance", "ks_statistic", "cramers_v"), "0 to 1"),
    "percent_null": "percent",
    "distinct_count": "values",
    "wasserstein_distance": "standard deviations",
}
"""Units of the numbers that have one, by column name; a name means the same in every table."""

TABLE_PROPERTIES: Mapping[str, str] = {
    "sparkscore.job": "The job that owns the table; any other job is refused.",
    "sparkscore.former_jobs": "Names that the job had before, oldest first; its runs are identified by the first one.",
    "sparkscore.schema": "Version of the table's contract; a newer one than this sparkscore knows is refused.",
    "sparkscore.expired_revision": "The greatest revision of any as_of that retention has removed.",
    "delta.minReaderVersion": "1: the plainest Delta reader can read the table.",
    "delta.minWriterVersion": "2, for the same reason.",
    "delta.enableDeletionVectors": "false, for the same reason.",
    "delta.dataSkippingStatsColumns": "The columns that identify a row: Delta keeps statistics of no others.",
    "delta.dataSkippingNumIndexedCols": "0 on a stage, which is read whole.",
}
"""Every table property that is set, and what it means."""
