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
    is_derived: bool = False
    """It is computed from other columns of the table when a stage is read, and stands in no stage."""


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
MODEL_LINEAGE = ("model_name", "model_version", "model_id")
"""Those of them that differ from row to row where each group of rows has a model of its own: then they are columns of
the stage."""

PREDICTION_COLUMN = "prediction"
LABEL_COLUMN = "label"
REJECT_COLUMN = "_reject"
"""Of the stage: why a row was rejected, of `REJECT_TYPE`; NULL for the others."""
GONE_COLUMN = "_gone"
"""Of what a MERGE reads: the key is to be deleted."""
DELETED_COLUMN = "_source_deleted"
"""Of prediction tables with `source.on_delete: mark`: the row says that the source no longer has the key."""
FILE_COLUMN, BLOCK_COLUMN = "_sparkscore_file", "_sparkscore_block"
"""Of rows that Spark reads for a task that scores: a hash of the path of their file, and where in the file the block
begins that Spark reads at once."""
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


WINDOW_TYPE = pa.struct([("start", TIMESTAMP), ("end", TIMESTAMP)])
_MONITORING_COLUMNS: tuple[ContractColumn, ...] = (
    ContractColumn(
        "window", WINDOW_TYPE, "The logical time that is described: from start to end, both within.", nullable=False
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

RESERVED_NAMES = frozenset(
    {PREDICTION_COLUMN, LABEL_COLUMN, REJECT_COLUMN, GONE_COLUMN, DELETED_COLUMN, *RUN_CONSTANTS}
)
"""Names that keys and pass-through columns may not take."""


DELETED_MARK = ContractColumn(
    DELETED_COLUMN,
    pa.bool_(),
    "True where the source no longer has the key at this as_of: the row has no prediction. Else false, or NULL.",
)
IS_PREDICTION = f"{DELETED_COLUMN} IS NOT TRUE"
"""As SQL, of tables that have the column: the row is a prediction, and no mark of a deleted key."""


REASON_TYPE = pa.struct([("feature", pa.string()), ("contribution", pa.float64())])
REASON_COLUMNS = (
    ContractColumn(
        "base_value", pa.float64(), "Raw score of the average row; with the contributions of all features, raw_score."
    ),
    ContractColumn(
        "raw_score", pa.float64(), "What the model computes before it makes a probability or a class of it."
    ),
    ContractColumn(
        "reasons", pa.list_(REASON_TYPE), "Features that contributed most to raw_score, whatever the sign; descending."
    ),
)
"""Beside `prediction`, where the config asks for reasons."""
REASON_NAMES = tuple(column.name for column in REASON_COLUMNS)


def prediction_contract(
    keys: Sequence[ContractColumn],
    output: pa.DataType,
    passthrough: Sequence[ContractColumn],
    *,
    threshold: float | None,
    derived: Sequence[ContractColumn] = (),
    marks_deleted: bool = False,
    beside: Sequence[ContractColumn] = (),
) -> TableContract:
    """The prediction table of a job. `beside`: what else the model returns of a row.

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
    marks = (DELETED_MARK,) if marks_deleted else ()
    return TableContract(
        comment=f"Predictions of a sparkscore job. One row per ({', '.join(key.name for key in keys)}, as_of).",
        columns=(*columns, *beside, *derived, *passthrough, *marks, *LINEAGE_COLUMNS),
        partitioned_by=("as_of_date",),
    )


RANK_COLUMN, EXPECTED_LOSS_COLUMN = "queue_rank", "expected_loss"
VALID_FROM_COLUMN, VALID_TO_COLUMN = "valid_from", "valid_to"


def queue_contract(predictions: Sequence[ContractColumn], keys: Sequence[str], *, has_amount: bool) -> TableContract:
    """The queue of a job: the first rows of each as_of, with their rank.

    Grain: one row per (as_of, queue_rank), and per (keys, as_of).
    """
    loss = ContractColumn(EXPECTED_LOSS_COLUMN, pa.float64(), "Probability x amount, in the unit of the amount.")
    return TableContract(
        comment=f"The rows of each as_of to look at first. One row per ({', '.join(keys)}, as_of).",
        columns=(
            ContractColumn(RANK_COLUMN, pa.int32(), "Place in the queue, from 1 on.", nullable=False),
            *((loss,) if has_amount else ()),
            *predictions,
        ),
        partitioned_by=("as_of_date",),
    )


def feature_table_contract(columns: Sequence[ContractColumn], keys: Sequence[str]) -> TableContract:
    """Predictions as features: the columns of the prediction table that are chosen, and when they hold.

    Grain: one row per (keys, valid_from); the intervals of a key follow one another without gaps or overlaps.
    """
    lineage = {column.name for column in LINEAGE_COLUMNS}
    own = [column for column in columns if column.name not in lineage]
    return TableContract(
        comment=f"Predictions as features over time. One row per ({', '.join(keys)}, valid_from).",
        columns=(
            *own,
            ContractColumn(VALID_FROM_COLUMN, TIMESTAMP, "From when on the values hold: as_of, UTC.", nullable=False),
            ContractColumn(
                VALID_TO_COLUMN, TIMESTAMP, "Until when, exclusive: the key's next valid_from; NULL: they still do."
            ),
            *LINEAGE_COLUMNS,
        ),
        partitioned_by=("as_of_date",),
    )


CHAMPION_RUN_COLUMN = "champion_run_id"


def challenger_contract(predictions: TableContract) -> TableContract:
    """The table of a job's challengers: what the prediction table has, and beside which run it was predicted.

    Grain: one row per (keys, as_of, model_name, model_version).
    """
    keys = [column.name for column in predictions.columns if not column.nullable and column.name not in RUN_CONSTANTS]
    champion = ContractColumn(
        CHAMPION_RUN_COLUMN, pa.string(), "The run of the prediction table beside which the row was predicted."
    )
    return TableContract(
        comment="Predictions of the challengers of a sparkscore job, for comparison alone."
        f" One row per ({', '.join(keys)}, as_of, model_name, model_version).",
        columns=(*(column for column in predictions.columns if column.name != DELETED_COLUMN), champion),
        partitioned_by=predictions.partitioned_by,
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
            "event",
            pa.string(),
            "started, staged, published, failed, aborted, monitored, exported or challenged.",
            nullable=False,
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
            "Reason: null_key, predict_failed, input_out_of_range, batch_timeout, null_prediction, no_model, or the"
            " rule that the row broke.",
            nullable=False,
        ),
        ContractColumn("error", pa.string(), "Class of the error that the model raised; NULL for a broken rule."),
        ContractColumn("message", pa.string(), "The reason in words, without values."),
        *LINEAGE_COLUMNS,
    ),
    partitioned_by=("as_of_date",),
)

MODELS_CONTRACT = TableContract(
    comment="The models of runs with one model per group (model.by). One row per (as_of, set_digest, group_key).",
    columns=(
        ContractColumn(
            "set_digest", pa.string(), "sha256 over all rows of the set: model_digest of its runs.", nullable=False
        ),
        ContractColumn("group_key", pa.string(), "Values of the group's columns, as a JSON object.", nullable=False),
        ContractColumn("model_name", pa.string(), "Registered name of the group's model; NULL where it has none."),
        ContractColumn("model_version", pa.string(), "Version of the model in the registry."),
        ContractColumn("model_id", pa.string(), "MLflow's id of the logged model; empty for models before MLflow 3."),
        ContractColumn("model_digest", pa.string(), "sha256 over the model's files."),
        ContractColumn("missing", pa.string(), "Why the group has no model; NULL where it has one."),
        *(column for column in LINEAGE_COLUMNS if not column.nullable),
    ),
    partitioned_by=("as_of_date",),
)

SIDE_TABLES: Mapping[str, TableContract] = {
    "_runs": RUNS_CONTRACT,
    "_rejects": REJECTS_CONTRACT,
    "_profile": PROFILE_CONTRACT,
    "_drift": DRIFT_CONTRACT,
    "_models": MODELS_CONTRACT,
}
"""The tables beside a job's prediction table, by the suffix of their names."""
QUEUE_SUFFIX = "_queue"
"""Of the table whose columns are those of the prediction table, and a rank: `queue_contract`."""
CHALLENGERS_SUFFIX = "_challengers"
"""Of the table whose columns are those of the prediction table: `challenger_contract`."""

REUSED_SUFFIX = "_reused"
"""Of the table of `model.reuse`: `reused_contract`."""
INPUTS_HASH_COLUMN, SCORER_COLUMN, USED_ON_COLUMN = "inputs_hash", "scorer", "used_on"


def reused_contract(output: pa.DataType) -> TableContract:
    """The predictions of a job that rows with equal inputs get without the model.

    Grain: one row per (scorer, inputs_hash); two where two runs have predicted the same inputs at once: the older one
    counts.
    """
    return TableContract(
        comment="Predictions that a sparkscore job reuses for rows with equal inputs."
        " One row per (scorer, inputs_hash); where there are two, the older one counts.",
        columns=(
            ContractColumn(
                SCORER_COLUMN,
                pa.string(),
                "Partition: sha256 over all but the row that decides on a prediction: the model's files, its params,"
                " how its inputs are made.",
                nullable=False,
            ),
            ContractColumn(
                INPUTS_HASH_COLUMN, pa.string(), "sha256 over the values of the model's inputs.", nullable=False
            ),
            ContractColumn(PREDICTION_COLUMN, output, "The model's output, as it returned it."),
            ContractColumn("created_at", TIMESTAMP, "When the prediction was kept, UTC."),
            ContractColumn("run_id", pa.string(), "The scoring run that predicted it."),
            ContractColumn(
                USED_ON_COLUMN,
                pa.date32(),
                "The UTC date of a run that used it; later ones may follow within a quarter of model.reuse_days.",
            ),
        ),
        partitioned_by=(SCORER_COLUMN,),
    )


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
