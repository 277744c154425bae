"""As many rows as another Delta table has."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from sparkscore.errors import NameRefused
from sparkscore.gate.compiled.measures import Found, Measure, Rule, Values, rows
from sparkscore.gate.compiled.where import where
from sparkscore.records import TableRef
from sparkscore.store.names import table_ref
from sparkscore.store.tables import load

OTHER_TABLE = "expect_table_row_count_to_equal_other_table"


def other_table(name: str, *, home: str | None) -> TableRef:
    """The table that `other_table_name` means, by the grammar of all table names; never SQL.

    Raises:  NameRefused.
    """
    found = table_ref(name, home=home or "")
    if home is None and found.path not in (None, name):
        raise NameRefused(f"the plain table name {name} without a home folder", "schema.table or a path", "write it so")
    return found


def other_table_rule(kwargs: Mapping[str, Any], schema: StructType, *, home: str | None) -> Rule:
    """The number of rows against the other table's, as it is now.

    Raises:  NameRefused, TableNotFound, AccessDenied.
    """
    total = rows(where(kwargs, schema))
    other = load(SparkSession.active(), other_table(kwargs["other_table_name"], home=home))
    return Rule(partial(_equal, total, other), (total,))


def _equal(total: Measure, other: DataFrame, values: Values) -> Found:
    counts = {"self": values[total.name], "other": other.count()}
    return Found(counts["self"] == counts["other"], {"observed_value": counts})
