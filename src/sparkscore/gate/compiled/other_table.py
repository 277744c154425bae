"""As many rows as another Delta table has."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from sparkscore.errors import NameRefused
from sparkscore.gate.compiled.measures import CompiledRule, MeasuredValues, RuleMeasure, RuleResult, row_count_measure
from sparkscore.gate.compiled.row_condition import compile_row_condition
from sparkscore.records import TableRef
from sparkscore.spark.identifiers import parse_table_ref
from sparkscore.store.table import Table

OTHER_TABLE = "expect_table_row_count_to_equal_other_table"


def other_table_ref(name: str, *, home: str | None) -> TableRef:
    """The table that `other_table_name` means, by the grammar of all table names; never SQL.

    Raises:  NameRefused.
    """
    found = parse_table_ref(name, home=home or "")
    if home is None and found.path not in (None, name):
        raise NameRefused(f"the plain table name {name} without a home folder", "schema.table or a path", "write it so")
    return found


def other_table_rule(kwargs: Mapping[str, Any], schema: StructType, *, home: str | None) -> CompiledRule:
    """The number of rows against the other table's, as it is now.

    Raises:  NameRefused, TableNotFound, AccessDenied.
    """
    total = row_count_measure(compile_row_condition(kwargs, schema))
    other = Table(SparkSession.active(), other_table_ref(kwargs["other_table_name"], home=home)).load_rows()
    return CompiledRule(partial(_equal_row_count_result, total, other), (total,))


def _equal_row_count_result(total: RuleMeasure, other: DataFrame, values: MeasuredValues) -> RuleResult:
    counts = {"self": values[total.name], "other": other.count()}
    return RuleResult(counts["self"] == counts["other"], {"observed_value": counts})
