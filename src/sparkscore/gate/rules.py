"""Row rules: data with two evaluators that agree. A row that breaks one is rejected, not scored."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial, reduce
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_type
from pyspark.sql.types import StructField, StructType

from sparkscore.gate.compiled.conditions import condition
from sparkscore.gate.compiled.in_arrow import NoArrowForm, arrow_condition, arrow_where
from sparkscore.gate.compiled.where import columns_of, where
from sparkscore.gate.reasons import Breaks, first_broken, missed, missing
from sparkscore.gate.suite import Suite
from sparkscore.gate.words import expected
from sparkscore.records import RowRule, RowRules, RuleVerdict, Verdict
from sparkscore.store.names import quoted

NULL_KEY = "null_key"
_NOT = "not as expected: "
_SPARK_REJECT = "struct<code:string,error:string,message:string>"


def row_rules(
    keys: Sequence[str], schema: pa.Schema, suite: Suite | None = None, *, sensitive: Collection[str] = ()
) -> RowRules:
    """One `null_key` rule per key that the table does not declare NOT NULL; then what of the suite rejects rows.

    Needs:   the keys in `schema`.
    """
    absent = [
        RowRule(NULL_KEY, f"the key {key} is NULL", NULL_KEY, {"column": key})
        for key in keys
        if schema.field(key).nullable
    ]
    asked = [
        RowRule(one.rule, f"{_NOT}{expected(one, hidden=one.names(sensitive))}", one.type, dict(one.kwargs))
        for one in (suite.rejecting if suite else ())
    ]
    return RowRules((*absent, *asked))


def without_arrow_form(rules: RowRules, schema: pa.Schema) -> list[str]:
    """The codes of the rules that only Spark is sure to compute.

    Needs:   the rules' columns in `schema`.
    """
    return [rule.code for rule in rules.rules if _in_arrow(rule, schema) is None]


def spark_reject(rules: RowRules, schema: pa.Schema) -> Column:
    """The reason of the first broken rule; NULL where all hold.

    Needs:   the rules' columns in `schema`; in a session in UTC.
    Adds:    nothing by itself: struct<code, error, message>.
    Jobs:    none.
    Runs on: driver.
    """
    reasons = [
        F.when(
            _broken_in_spark(rule, _spark_schema(rule, schema)),
            F.struct(
                F.lit(rule.code).alias("code"),
                F.lit(None).cast("string").alias("error"),
                F.lit(rule.message).alias("message"),
            ),
        )
        for rule in rules.rules
    ]
    return F.coalesce(*reasons, F.lit(None).cast(_SPARK_REJECT))


def without_key(rules: RowRules) -> Column:
    """Whether a row breaks a `null_key` rule.

    Jobs:    none.
    Runs on: driver.
    """
    absent = [F.col(quoted(rule.kwargs["column"])).isNull() for rule in rules.rules if rule.kind == NULL_KEY]
    return reduce(Column.__or__, absent, F.lit(False))


def arrow_reject(rules: RowRules, schema: pa.Schema) -> Callable[[pa.RecordBatch], pa.StructArray | None]:
    """A function on batches: the reason of the first broken rule, NULL where all hold; None where no row breaks one.

    It can be pickled, and runs on executors: n rows -> n structs of type `REJECT`.

    Needs:   the rules' columns in `schema`; no rule of `without_arrow_form`.
    Runs on: driver.
    """
    compiled = [(rule.code, rule.message, _in_arrow(rule, schema)) for rule in rules.rules]
    return partial(first_broken, [(code, message, breaks) for code, message, breaks in compiled if breaks is not None])


def broken(kind: str, kwargs: Mapping[str, Any], schema: StructType) -> Column:
    """Whether a row breaks an expectation, true or false: what is not judged is not broken.

    Needs:   an expectation of `CONDITIONS`; its columns in `schema`.
    """
    return F.coalesce(where(kwargs, schema).only(~condition(kind, kwargs, schema)), F.lit(False))


def row_verdict(rules: RowRules, stage: DataFrame, *, rows: int) -> Verdict:
    """How many rows each rule has rejected: a warning where there are some.

    Needs:   `_reject`.
    Jobs:    one.
    """
    started = time.monotonic()
    counted = stage.groupBy(F.col("_reject.code").alias("code")).count().collect()
    broken_by = {row["code"]: row["count"] for row in counted}
    verdicts = [
        RuleVerdict(
            rule.code, rule.code not in broken_by, _share(broken_by.get(rule.code, 0), rows), _wanted(rule), "warning"
        )
        for rule in rules.rules
        if rule.kind != NULL_KEY
    ]
    return Verdict("input", "rows rejected", tuple(verdicts), round(time.monotonic() - started, 3))


def _wanted(rule: RowRule) -> str:
    return rule.message.removeprefix(_NOT)


def _share(rejected: int, rows: int) -> str:
    return f"{rejected:,} of {rows:,} rows rejected ({rejected / max(rows, 1):.2%})"


def _broken_in_spark(rule: RowRule, schema: StructType) -> Column:
    if rule.kind == NULL_KEY:
        return F.col(quoted(rule.kwargs["column"])).isNull()
    return broken(rule.kind, rule.kwargs, schema)


def _in_arrow(rule: RowRule, schema: pa.Schema) -> Breaks | None:
    if rule.kind == NULL_KEY:
        return partial(missing, rule.kwargs["column"])
    asked, types = rule.kwargs.get("row_condition"), _spark_schema(rule, schema)
    try:
        met = arrow_condition(rule.kind, rule.kwargs, types)
        return partial(missed, met, None if asked is None else arrow_where(asked, types))
    except NoArrowForm:
        return None


def _spark_schema(rule: RowRule, schema: pa.Schema) -> StructType:
    types = {name: from_arrow_type(schema.field(name).type, prefer_timestamp_ntz=True) for name in _columns(rule)}
    return StructType([StructField(name, type_) for name, type_ in types.items()])


def _columns(rule: RowRule) -> tuple[str, ...]:
    named: list[Any] = [rule.kwargs.get(name, ()) for name in ("column", "column_A", "column_B", "column_list")]
    flat = [name for value in named for name in ([value] if isinstance(value, str) else value)]
    return tuple(dict.fromkeys((*flat, *columns_of(rule.kwargs.get("row_condition")))))
