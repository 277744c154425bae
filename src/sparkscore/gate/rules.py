"""Row rules: data with two evaluators that agree. A row that breaks one is rejected, not scored."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkscore.records import RowRule, RowRules
from sparkscore.schemas import REJECT
from sparkscore.store.names import quoted

_SPARK_REJECT = "struct<code:string,error:string,message:string>"


def key_rules(keys: Sequence[str], schema: pa.Schema) -> RowRules:
    """One `null_key` rule per key; a key that the table declares NOT NULL needs none.

    Needs:   the keys in `schema`.
    """
    return RowRules(tuple(RowRule("null_key", key) for key in keys if schema.field(key).nullable))


def spark_reject(rules: RowRules) -> Column:
    """The reason of the first broken rule; NULL where all hold.

    Adds:    nothing by itself: struct<code, error, message>.
    Jobs:    none.
    Runs on: driver.
    """
    reasons = [
        F.when(
            F.col(quoted(rule.column)).isNull(),
            F.struct(
                F.lit(rule.code).alias("code"),
                F.lit(None).cast("string").alias("error"),
                F.lit(_message(rule)).alias("message"),
            ),
        )
        for rule in rules.rules
    ]
    return F.coalesce(*reasons, F.lit(None).cast(_SPARK_REJECT))


def arrow_reject(rules: RowRules, batch: pa.RecordBatch) -> pa.StructArray | None:
    """The reason of the first broken rule, for each row of a batch, NULL where all hold; None where no row breaks one.

    Shapes:  n rows -> n structs of type `REJECT`.
    Runs on: executor.
    """
    if not any(batch.column(rule.column).null_count for rule in rules.rules):
        return None
    codes = messages = pa.nulls(batch.num_rows, pa.string())
    for rule in reversed(rules.rules):
        broken = batch.column(rule.column).is_null()
        codes = pc.if_else(broken, pa.scalar(rule.code), codes)
        messages = pc.if_else(broken, pa.scalar(_message(rule)), messages)
    errors = pa.nulls(batch.num_rows, pa.string())
    return pa.StructArray.from_arrays([codes, errors, messages], fields=list(REJECT), mask=codes.is_null())


def _message(rule: RowRule) -> str:
    return f"the key {rule.column} is NULL" if rule.code == "null_key" else f"{rule.column} is NULL"
