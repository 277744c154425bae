"""The output gate that is always on: what exactly-once publishing needs of a stage."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, DoubleType, FloatType, StructType

from sparkscore.errors import DuplicateKeys
from sparkscore.gate.judge import require as require_verdict
from sparkscore.gate.words import key as key_words
from sparkscore.records import RuleVerdict, Verdict
from sparkscore.store.names import quoted

UNIQUE_KEYS = "unique keys"
ALL_ROWS = "scored + rejected = rows read"
NO_GAPS = "no NULL or NaN predictions among scored rows"
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Integrity:
    """What was found. The verdict is free of values; the examples are for the message of the error alone."""

    verdict: Verdict
    duplicates: tuple[str, ...]
    """At most three keys that more than one scored row has."""


def integrity(
    stage: DataFrame, *, keys: Sequence[str], rows_read: int, unique: bool = False, sensitive: Sequence[str] = ()
) -> Integrity:
    """The judgement over a staged frame: scored keys are unique, all rows are there, all scored rows have a prediction.

    Rejected rows (`_reject` is not NULL) count as rows, and are outside the other two rules. A prediction that is a
    list or a struct is missing where any part of it is NULL or NaN.

    Needs:   the keys, `prediction`, `_reject`; `unique` where it is proven that no key is there twice; `sensitive`
             columns, whose values no example shows.
    Jobs:    one Spark job; another that shuffles the keys where they are not proven unique, a third for duplicates.
    """
    started = time.monotonic()
    if unique:
        rules = (_verdict(0, 0, keys), *_complete(stage, rows_read=rows_read))
        return Integrity(Verdict("output", "integrity", rules, round(time.monotonic() - started, 3)), ())
    repeated = _repeated(stage, keys)
    twice = _unique(repeated, keys)
    rules = (twice, *_complete(stage, rows_read=rows_read))
    examples = () if twice.passed else _examples(repeated, keys, sensitive)
    return Integrity(Verdict("output", "integrity", rules, round(time.monotonic() - started, 3)), examples)


def require(found: Integrity) -> None:
    """Let a whole stage pass.

    Raises:  DuplicateKeys naming at most three keys, GateFailed.
    """
    broken = {rule.rule: rule for rule in found.verdict.failed}
    if UNIQUE_KEYS in broken:
        rule, examples = broken[UNIQUE_KEYS], "; ".join(found.duplicates)
        raise DuplicateKeys(
            f"duplicate keys among the scored rows: {rule.observed}, for example {examples}",
            rule.expected,
            "name further columns in source.keys, or remove the duplicates from the source; nothing was published",
        )
    require_verdict(found.verdict)


def _complete(stage: DataFrame, *, rows_read: int) -> tuple[RuleVerdict, RuleVerdict]:
    accepted = F.col("_reject").isNull()
    gap = accepted & _missing(F.col("prediction"), stage.schema["prediction"].dataType)
    rows, scored, gaps = stage.agg(F.count(F.lit(1)), F.count_if(accepted), F.count_if(gap)).collect()[0]
    counted = f"{scored:,} scored + {rows - scored:,} rejected = {rows:,}"
    return (
        RuleVerdict(ALL_ROWS, rows == rows_read, counted, f"{rows_read:,} rows read"),
        RuleVerdict(NO_GAPS, gaps == 0, f"{gaps:,} of {scored:,} scored rows without a prediction", "none"),
    )


def _repeated(stage: DataFrame, keys: Sequence[str]) -> DataFrame:
    """Grain: one row per key that more than one scored row has; the key as a struct, and how many rows."""
    key = F.struct(*[F.col(quoted(name)) for name in keys]).alias("key")
    scored = stage.where(F.col("_reject").isNull()).select(key)
    return scored.groupBy("key").agg(F.count(F.lit(1)).alias("rows")).where(F.col("rows") > 1)


def _unique(repeated: DataFrame, keys: Sequence[str]) -> RuleVerdict:
    twice, rows = repeated.agg(F.count(F.lit(1)), F.sum("rows")).collect()[0]
    return _verdict(twice, rows, keys)


def _verdict(twice: int, rows: int, keys: Sequence[str]) -> RuleVerdict:
    observed = f"{twice:,} keys on {rows:,} rows" if twice else "no key on two rows"
    return RuleVerdict(UNIQUE_KEYS, twice == 0, observed, f"one row per ({', '.join(keys)})")


def _examples(repeated: DataFrame, keys: Sequence[str], sensitive: Sequence[str]) -> tuple[str, ...]:
    rows = repeated.orderBy("key").limit(_EXAMPLES).collect()
    return tuple(key_words(keys, row["key"], sensitive) for row in rows)


def _missing(value: Column, kind: DataType) -> Column:
    """Whether a value, or any part of it, is NULL or NaN."""
    if isinstance(kind, FloatType | DoubleType):
        return value.isNull() | F.isnan(value)
    if isinstance(kind, ArrayType):
        return value.isNull() | F.exists(value, lambda element: _missing(element, kind.elementType))
    if isinstance(kind, StructType):
        parts = [_missing(value.getField(field.name), field.dataType) for field in kind]
        return reduce(Column.__or__, parts, value.isNull())
    return value.isNull()
