"""Delta's own handle of a table. Over Connect it is SQL: Delta's Python handle needs a plugin there, in the server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructField, StructType

from sparkscore.records import TableRef
from sparkscore.spark.identifiers import quote_identifier, quote_table, sql_name
from sparkscore.spark.session_kind import is_connect_session
from sparkscore.spark.sql_texts import type_text


def open_delta_handle(spark: SparkSession, ref: TableRef) -> Any:
    """`delta.tables.DeltaTable` in a classic session, else a `SqlDeltaHandle`, which has those of its methods that the
    suite calls.

    Jobs:    none.
    Raises:  what Spark raises where there is no Delta table.
    """
    if is_connect_session(spark):
        return SqlDeltaHandle.open(spark, ref)
    from delta.tables import DeltaTable

    # isDeltaTable would do for "is it there", but goes on saying no to a folder whose log was empty when it
    # was first asked: that of a stage whose first commit failed, and was made later without Spark
    return DeltaTable.forName(spark, quote_table(ref)) if ref.path is None else DeltaTable.forPath(spark, ref.path)


def create_delta_table(
    spark: SparkSession,
    ref: TableRef,
    columns: StructType,
    *,
    comment: str,
    properties: Mapping[str, str],
    partitioned_by: Sequence[str] = (),
) -> None:
    """Create a table unless it is there; comments of columns stand in their metadata.

    Raises:  what Spark raises.
    """
    if is_connect_session(spark):
        spark.sql(_creation_statement(ref, columns, comment, properties, partitioned_by)).collect()
        return
    from delta.tables import DeltaTable

    builder = DeltaTable.createIfNotExists(spark).comment(comment).addColumns(columns)
    builder = builder.tableName(quote_table(ref)) if ref.path is None else builder.location(ref.path)
    for name, value in properties.items():
        builder = builder.property(name, value)
    builder.partitionedBy(*partitioned_by).execute()


def _creation_statement(
    ref: TableRef, columns: StructType, comment: str, properties: Mapping[str, str], partitioned_by: Sequence[str]
) -> str:
    pairs = ", ".join(f"{_quoted(name)} = {_quoted(value)}" for name, value in properties.items())
    parts = f" PARTITIONED BY ({', '.join(map(quote_identifier, partitioned_by))})" if partitioned_by else ""
    return (
        f"CREATE TABLE IF NOT EXISTS {sql_name(ref)} ({', '.join(map(_column_definition, columns))}) USING DELTA{parts}"
        f" COMMENT {_quoted(comment)} TBLPROPERTIES ({pairs})"
    )


def _column_definition(column: StructField) -> str:
    comment = (column.metadata or {}).get("comment")
    null = "" if column.nullable else " NOT NULL"
    told = f" COMMENT {_quoted(comment)}" if comment else ""
    return f"{quote_identifier(column.name)} {type_text(column.dataType)}{null}{told}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@dataclass(frozen=True, slots=True)
class SqlDeltaHandle:
    """A Delta table by statements of SQL."""

    spark: SparkSession
    ref: TableRef

    @classmethod
    def open(cls, spark: SparkSession, ref: TableRef) -> "SqlDeltaHandle":
        """The table that is there.

        Jobs:    none; some of Delta's own for a table of a catalog.
        Raises:  AnalysisException where it is no Delta table.
        """
        handle = cls(spark, ref)
        if ref.path is not None:
            handle.toDF().schema  # noqa: B018  an analysis: it fails where there is no table
        elif str(handle.detail().collect()[0]["format"]).lower() != "delta":
            spark.sql(f"DESCRIBE HISTORY {handle.name}")  # says so, in Delta's own words
        return handle

    @property
    def name(self) -> str:
        """As SQL names it."""
        return sql_name(self.ref)

    def toDF(self) -> DataFrame:  # noqa: N802  as Delta's handle has it
        """Its rows."""
        return self.spark.read.format("delta").table(self.name)

    def detail(self) -> DataFrame:
        """One row about the table."""
        return self.spark.sql(f"DESCRIBE DETAIL {self.name}")

    def history(self, limit: int | None = None) -> DataFrame:
        """A row per commit, newest first."""
        return self.spark.sql(f"DESCRIBE HISTORY {self.name}" + ("" if limit is None else f" LIMIT {limit}"))

    def delete(self, condition: str) -> DataFrame:
        """Delete the rows that meet a condition."""
        return self.spark.sql(f"DELETE FROM {self.name} WHERE {condition}")  # noqa: S608  the suite's own condition

    def optimize(self) -> "SqlOptimize":
        """A compaction that is to be executed."""
        return SqlOptimize(self)

    def alias(self, name: str) -> "SqlMergeTarget":
        """The table as the target of a MERGE."""
        return SqlMergeTarget(self, name)


@dataclass(frozen=True, slots=True)
class SqlOptimize:
    """OPTIMIZE, of a partition or of all."""

    handle: SqlDeltaHandle
    condition: str = ""

    def where(self, condition: str) -> "SqlOptimize":
        """Only the partitions that meet a condition."""
        return SqlOptimize(self.handle, f" WHERE {condition}")

    def executeCompaction(self) -> DataFrame:  # noqa: N802  as Delta's handle has it
        """Combine small files; a row of metrics."""
        return self.handle.spark.sql(f"OPTIMIZE {self.handle.name}{self.condition}")


@dataclass(frozen=True, slots=True)
class SqlMergeTarget:
    """The target of a MERGE, with its alias."""

    handle: SqlDeltaHandle
    name: str

    def merge(self, source: DataFrame, condition: str) -> "SqlMerge":
        """A MERGE that is to be executed. The source's own alias is lost with it: it is `s`."""
        return SqlMerge(self, source, condition)


@dataclass(slots=True)
class SqlMerge:
    """A MERGE, clause by clause."""

    target: SqlMergeTarget
    source: DataFrame
    condition: str
    clauses: list[str] = field(default_factory=list)

    def whenMatchedDelete(self, condition: str) -> "SqlMerge":  # noqa: N802  as Delta's builder has it
        """Delete a matched row that meets a condition."""
        return self._add_clause(f"WHEN MATCHED AND {condition} THEN DELETE")

    def whenMatchedUpdateAll(self) -> "SqlMerge":  # noqa: N802  as Delta's builder has it
        """Update a matched row with all columns of the source."""
        return self._add_clause("WHEN MATCHED THEN UPDATE SET *")

    def whenMatchedUpdate(self, condition: str, set: Mapping[str, Any]) -> "SqlMerge":  # noqa: A002, N802  as Delta's builder has it
        """Update columns of a matched row that meets a condition, with expressions."""
        values = ", ".join(f"t.{name} = {value}" for name, value in set.items())
        return self._add_clause(f"WHEN MATCHED AND {condition} THEN UPDATE SET {values}")

    def whenNotMatchedInsertAll(self, condition: str | None = None) -> "SqlMerge":  # noqa: N802  as Delta's builder has it
        """Insert a row that matches none."""
        where = f" AND {condition}" if condition else ""
        return self._add_clause(f"WHEN NOT MATCHED{where} THEN INSERT *")

    def execute(self) -> DataFrame:
        """Commit; a row of metrics, none where Delta skipped the commit."""
        view = f"sparkscore_merge_{uuid4().hex}"
        target, spark = self.target, self.source.sparkSession
        self.source.createOrReplaceTempView(view)
        try:
            return spark.sql(
                f"MERGE INTO {target.handle.name} AS {target.name} USING {view} AS s ON {self.condition} "
                + " ".join(self.clauses)
            )
        finally:
            spark.catalog.dropTempView(view)

    def _add_clause(self, clause: str) -> "SqlMerge":
        self.clauses.append(clause)
        return self
