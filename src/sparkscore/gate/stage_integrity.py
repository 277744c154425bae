"""The output gate that is always on: what exactly-once publishing needs of a stage."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkscore.errors import DuplicateKeys, GateFailed
from sparkscore.gate.missing_parts import MissingParts, find_missing_parts, is_any_part_missing
from sparkscore.gate.stage_counts import StageCounts
from sparkscore.gate.verdict_formatting import format_row_key
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
    duplicates: tuple[str, ...] = ()
    """At most three keys that more than one scored row has."""
    incomplete: tuple[str, ...] = ()
    """At most three keys of scored rows without a prediction."""
    missing_parts: tuple[str, ...] = ()
    """Paths of what is missing in their predictions."""


@dataclass(frozen=True, slots=True)
class StageExpectations:
    """What a stage must meet."""

    keys: Sequence[str]
    rows_read: int
    nullable: Collection[str] = ()
    """Paths of the parts of a prediction that may be NULL."""
    sensitive: Collection[str] = ()
    """Columns whose values no example shows."""


def check_stage_integrity(stage: DataFrame, expected: StageExpectations, *, unique: bool = False) -> StageIntegrity:
    """The judgement over a staged frame: scored keys are unique, all rows are there, all scored rows have a prediction.

    Rejected rows (`_reject` is not NULL) count as rows, and are outside the other two rules. A prediction that is a
    list or a struct is missing where a part of it is NULL or NaN that must be there.

    Needs:   the keys, `prediction`, `_reject`; `unique` where it is proven that all keys are unique.
    Jobs:    one Spark job; another that shuffles the keys where they are not proven unique, a third for duplicates, two
             for missing predictions.
    """
    started, keys = time.monotonic(), expected.keys
    repeated = None if unique else _select_repeated_keys(stage, keys)
    unique_keys = _unique_keys_verdict(0, 0, keys) if repeated is None else _check_unique_keys(repeated, keys)
    all_rows, predictions = _check_completeness(stage, expected)
    duplicates = () if repeated is None or unique_keys.passed else _collect_duplicate_keys(repeated, expected)
    found = MissingParts((), ())
    if not predictions.passed:
        scored = stage.where(F.col(REJECT_COLUMN).isNull())
        found = find_missing_parts(scored, keys=keys, nullable=expected.nullable)
        predictions = replace(predictions, observed=predictions.observed + _format_part_counts(found))
    seconds = round(time.monotonic() - started, 3)
    return StageIntegrity(
        Verdict("output", "integrity", (unique_keys, all_rows, predictions), seconds),
        duplicates,
        tuple(format_row_key(keys, key, expected.sensitive) for key in found.keys),
        tuple(path for path, _ in found.counts),
    )


def pass_counted_stage(counts: StageCounts, expected: StageExpectations) -> StageIntegrity | None:
    """The judgement over a stage whose rows were counted by the tasks that wrote them, where it passes.

    None where it does not: `check_stage_integrity` counts again, and finds examples.

    Needs:   that the tasks saw that all keys are unique.
    Jobs:    none.
    """
    unique, completeness = _unique_keys_verdict(0, 0, expected.keys), _completeness_verdicts(counts, expected)
    passed = all(rule.passed for rule in completeness) and not counts.other_probabilities
    return StageIntegrity(Verdict("output", "integrity", (unique, *completeness))) if passed else None


def require_stage_integrity(found: StageIntegrity) -> None:
    """Raise an error unless the stage passes.

    Raises:  DuplicateKeys, GateFailed, naming at most three keys.
    """
    broken = {rule.rule: rule for rule in found.verdict.failed_rules}
    if UNIQUE_KEYS_RULE in broken:
        rule, examples = broken[UNIQUE_KEYS_RULE], "; ".join(found.duplicates)
        raise DuplicateKeys(
            f"duplicate keys among the scored rows: {rule.observed}, for example {examples}",
            rule.expected,
            "name further columns in source.keys, or remove the duplicates from the source; nothing was published",
        )
    if ROWS_READ_RULE in broken:
        rule = broken[ROWS_READ_RULE]
        raise GateFailed(
            f"the stage has other rows than the source: {rule.observed}",
            rule.expected,
            "run it again with --restart, which scores all rows anew; nothing was published",
        )
    if NO_MISSING_PREDICTIONS_RULE in broken:
        raise _missing_predictions_error(found, broken[NO_MISSING_PREDICTIONS_RULE])


def _missing_predictions_error(found: StageIntegrity, rule: RuleVerdict) -> GateFailed:
    return GateFailed(
        f"{rule.observed}, for example {'; '.join(found.incomplete)}",
        "a prediction for each scored row, in all parts that the model's signature requires",
        f"set output.allow_null: [{', '.join(found.missing_parts)}] where NULL is an answer, or"
        " scoring.reject_null_predictions: true to keep such rows as rejects, or repair the model;"
        " nothing was published, and what was scored is kept",
    )


def _format_part_counts(found: MissingParts) -> str:
    """Where a prediction has parts, how many rows lack each."""
    if [path for path, _ in found.counts] == [PREDICTION_COLUMN]:
        return ""
    return f" ({', '.join(f'{path}: {count:,}' for path, count in found.counts)})"


def _check_completeness(stage: DataFrame, expected: StageExpectations) -> tuple[RuleVerdict, RuleVerdict]:
    accepted = F.col(REJECT_COLUMN).isNull()
    is_missing = accepted & is_any_part_missing(stage.schema[PREDICTION_COLUMN].dataType, expected.nullable)
    found = stage.agg(F.count(F.lit(1)), F.count_if(accepted), F.count_if(is_missing)).collect()[0]
    return _completeness_verdicts(StageCounts(*found), expected)


def _completeness_verdicts(counts: StageCounts, expected: StageExpectations) -> tuple[RuleVerdict, RuleVerdict]:
    rows, scored, missing = counts.rows, counts.scored, counts.missing
    counted = f"{scored:,} scored + {rows - scored:,} rejected = {rows:,}"
    return (
        RuleVerdict(ROWS_READ_RULE, rows == expected.rows_read, counted, f"{expected.rows_read:,} rows read"),
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


def _collect_duplicate_keys(repeated: DataFrame, expected: StageExpectations) -> tuple[str, ...]:
    rows = repeated.orderBy("key").limit(_MAX_DUPLICATE_KEYS).collect()
    return tuple(format_row_key(expected.keys, row["key"], expected.sensitive) for row in rows)
