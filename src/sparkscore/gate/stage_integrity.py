"""The output gate that is always on: what exactly-once publishing needs of a stage."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, DoubleType, FloatType, StructType

from sparkscore.errors import DuplicateKeys
from sparkscore.gate.verdict_formatting import format_row_key
from sparkscore.gate.verdicts import require_passed_verdict
from sparkscore.records import RuleVerdict, Verdict
from sparkscore.schemas import PREDICTION_COLUMN, REJECT_COLUMN
from sparkscore.spark.identifiers import quote_identifier

UNIQUE_KEYS_RULE = "unique keys"
ROWS_READ_RULE = "scored + rejected = rows read"
NO_MISSING_PREDICTIONS_RULE = "no NULL or NaN predictions among scored rows"
_MAX_DUPLICATE_KEYS = 3


@dataclass(frozen=True, slots=True)
class StageIntegrity:
    """What was found. The verdict is free of values; the examples are for the message of the error alone."""

    verdict: Verdict
    duplicates: tuple[str, ...]
    """At most three keys that more than one scored row has."""


def check_stage_integrity(
    stage: DataFrame, *, keys: Sequence[str], rows_read: int, unique: bool = False, sensitive: Sequence[str] = ()
) -> StageIntegrity:
    """The judgement over a staged frame: scored keys are unique, all rows are there, all scored rows have a prediction.

    Rejected rows (`_reject` is not NULL) count as rows, and are outside the other two rules. A prediction that is a
    list or a struct is missing where any part of it is NULL or NaN.

    Needs:   the keys, `prediction`, `_reject`; `unique` where it is proven that all keys are unique; `sensitive`
             columns, whose values no example shows.
    Jobs:    one Spark job; another that shuffles the keys where they are not proven unique, a third for duplicates.
    """
    started = time.monotonic()
    if unique:
        rules = (_unique_keys_verdict(0, 0, keys), *_check_completeness(stage, rows_read=rows_read))
        return StageIntegrity(Verdict("output", "integrity", rules, round(time.monotonic() - started, 3)), ())
    repeated = _select_repeated_keys(stage, keys)
    duplicate_keys = _check_unique_keys(repeated, keys)
    rules = (duplicate_keys, *_check_completeness(stage, rows_read=rows_read))
    examples = () if duplicate_keys.passed else _collect_duplicate_keys(repeated, keys, sensitive)
    return StageIntegrity(Verdict("output", "integrity", rules, round(time.monotonic() - started, 3)), examples)


def require_stage_integrity(found: StageIntegrity) -> None:
    """Raise an error unless the stage passes.

    Raises:  DuplicateKeys naming at most three keys, GateFailed.
    """
    broken = {rule.rule: rule for rule in found.verdict.failed_rules}
    if UNIQUE_KEYS_RULE in broken:
        rule, examples = broken[UNIQUE_KEYS_RULE], "; ".join(found.duplicates)
        raise DuplicateKeys(
            f"duplicate keys among the scored rows: {rule.observed}, for example {examples}",
            rule.expected,
            "name further columns in source.keys, or remove the duplicates from the source; nothing was published",
        )
    require_passed_verdict(found.verdict)


def _check_completeness(stage: DataFrame, *, rows_read: int) -> tuple[RuleVerdict, RuleVerdict]:
    accepted = F.col(REJECT_COLUMN).isNull()
    is_missing = accepted & _is_prediction_missing(F.col(PREDICTION_COLUMN), stage.schema[PREDICTION_COLUMN].dataType)
    rows, scored, missing = stage.agg(F.count(F.lit(1)), F.count_if(accepted), F.count_if(is_missing)).collect()[0]
    counted = f"{scored:,} scored + {rows - scored:,} rejected = {rows:,}"
    return (
        RuleVerdict(ROWS_READ_RULE, rows == rows_read, counted, f"{rows_read:,} rows read"),
        RuleVerdict(
            NO_MISSING_PREDICTIONS_RULE,
            missing == 0,
            f"{missing:,} of {scored:,} scored rows without a prediction",
            "none",
        ),
    )


def _select_repeated_keys(stage: DataFrame, keys: Sequence[str]) -> DataFrame:
    """Grain: one row per key that more than one scored row has; the key as a struct, and how many rows."""
    key = F.struct(*[F.col(quote_identifier(name)) for name in keys]).alias("key")
    scored = stage.where(F.col(REJECT_COLUMN).isNull()).select(key)
    return scored.groupBy("key").agg(F.count(F.lit(1)).alias("rows")).where(F.col("rows") > 1)


def _check_unique_keys(repeated: DataFrame, keys: Sequence[str]) -> RuleVerdict:
    duplicate_keys, rows = repeated.agg(F.count(F.lit(1)), F.sum("rows")).collect()[0]
    return _unique_keys_verdict(duplicate_keys, rows, keys)


def _unique_keys_verdict(duplicate_keys: int, rows: int, keys: Sequence[str]) -> RuleVerdict:
    observed = f"{duplicate_keys:,} keys on {rows:,} rows" if duplicate_keys else "no key on two rows"
    return RuleVerdict(UNIQUE_KEYS_RULE, duplicate_keys == 0, observed, f"one row per ({', '.join(keys)})")


def _collect_duplicate_keys(repeated: DataFrame, keys: Sequence[str], sensitive: Sequence[str]) -> tuple[str, ...]:
    rows = repeated.orderBy("key").limit(_MAX_DUPLICATE_KEYS).collect()
    return tuple(format_row_key(keys, row["key"], sensitive) for row in rows)


def _is_prediction_missing(value: Column, kind: DataType) -> Column:
    """Whether a value, or any part of it, is NULL or NaN."""
    if isinstance(kind, FloatType | DoubleType):
        return value.isNull() | F.isnan(value)
    if isinstance(kind, ArrayType):
        return value.isNull() | F.exists(value, lambda element: _is_prediction_missing(element, kind.elementType))
    if isinstance(kind, StructType):
        parts = [_is_prediction_missing(value.getField(field.name), field.dataType) for field in kind]
        return reduce(Column.__or__, parts, value.isNull())
    return value.isNull()
