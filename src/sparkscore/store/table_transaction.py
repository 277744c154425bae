"""One commit that changes a table's columns and properties, and its rows where they have to be written anew.

Spark SQL changes one thing per statement and per commit, forgets NOT NULL and the partitions of a table that it
overwrites, and cannot drop a column of a table without column mapping. Delta's own transaction does all of it at once.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from sparkscore.errors import UnsupportedSession
from sparkscore.records import format_commit_note
from sparkscore.spark.active_session import activate_session
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.isolated_session import create_noted_session
from sparkscore.spark.session_kind import is_connect_session
from sparkscore.spark.type_widening import TypeDifference, compare_types
from sparkscore.store.table import Table

_DELTA_CLASSES = "org.apache.spark.sql.delta"
_SESSION_CATALOG_PARTS = 2
"""A name with more parts, `catalog.schema.table`, is of a catalog that only SQL reaches."""


@dataclass(frozen=True, slots=True)
class TableTransaction:
    """The newest version of a table, and the one commit that may follow it.

    Over Connect, and where Delta's classes are not those of the open source (Databricks), it commits by SQL: first the
    columns, then the properties, each readable by itself; rows are not written anew there.
    """

    table: Table
    """In the session of the commit."""
    schema: StructType
    properties: Mapping[str, str]
    version: int
    """The version of which `schema` and `properties` are."""
    delta: Any = None
    """Delta's own transaction; None where only SQL is there."""

    @classmethod
    def open(cls, table: Table, note: Mapping[str, Any]) -> "TableTransaction":
        """A transaction on the newest version; the note becomes the commit's `userMetadata`.

        Raises:  TableNotFound, AccessDenied.
        """
        own = table.in_session(create_noted_session(table.spark, format_commit_note(note)))
        with translate_spark_errors(f"opening {table.name}"), activate_session(own.spark):
            delta = _open_delta_transaction(own)
            if delta is None:
                return cls(own, own.schema, own.properties, own.load_newest_version())
            found = json.loads(delta.metadata().json())["metaData"]
            schema = StructType.fromJson(json.loads(found["schemaString"]))
            return cls(own, schema, found.get("configuration", {}), int(delta.snapshot().version()), delta)

    def commit(self, *, schema: StructType, properties: Mapping[str, str], rows: DataFrame | None = None) -> None:
        """Commit the columns, the properties beside those that are there, and these rows in place of all others.

        Jobs:    one that writes `rows`; none without them.
        Raises:  PublishConflict if somebody changed the table since the transaction was opened, AccessDenied;
                 UnsupportedSession for rows where only SQL is there.
        """
        with translate_spark_errors(f"changing the columns of {self.table.name}"), activate_session(self.table.spark):
            if self.delta is not None:
                self._commit_by_delta(schema, properties, rows)
            elif rows is None:
                self._commit_by_statements(schema, properties)
            else:
                raise UnsupportedSession(
                    f"the rows of {self.table.name} have to be written anew, in one commit with the new column type",
                    "a classic session with open-source Delta Lake, and a table by its path or of Spark's own catalog",
                    "run it once by spark-submit, change the column with the platform's own ALTER TABLE, or give"
                    " output.table another name",
                )

    def _commit_by_delta(self, schema: StructType, properties: Mapping[str, str], rows: DataFrame | None) -> None:
        jvm: Any = self.table.spark._jvm  # noqa: SLF001  Spark has no public way to Delta's transaction
        found = json.loads(self.delta.metadata().json())
        found["metaData"]["schemaString"] = schema.json()
        found["metaData"]["configuration"] = {**found["metaData"].get("configuration", {}), **properties}
        metadata = jvm.org.apache.spark.sql.delta.actions.Action.fromJson(json.dumps(found))
        actions = jvm.java.util.ArrayList()
        if rows is None:
            self.delta.updateMetadata(metadata, False)
        else:
            # a transaction that has read all files conflicts with whoever commits rows meanwhile
            replaced = list(_each_of(self.delta.filterFiles()))
            self.delta.updateMetadataForTableOverwrite(metadata)
            for file in replaced:
                actions.add(file.remove())
            for file in _each_of(self.delta.writeFiles(rows._jdf)):  # noqa: SLF001
                actions.add(file)
        operation = getattr(getattr(jvm, f"{_DELTA_CLASSES}.DeltaOperations$ManualUpdate$"), "MODULE$")
        self.delta.commit(jvm.scala.jdk.javaapi.CollectionConverters.asScala(actions).toSeq(), operation)

    def _commit_by_statements(self, schema: StructType, properties: Mapping[str, str]) -> None:
        sql, target = self.table.spark.sql, self.table.sql_name
        missing = [one for one in compare_types(self.schema, schema) if one.kind == "missing"]
        if missing:
            columns = ", ".join(_column_clause(schema, one) for one in missing)
            sql(f"ALTER TABLE {target} ADD COLUMNS ({columns})")
        if any(self.properties.get(name) != value for name, value in properties.items()):
            pairs = ", ".join(f"{_quote_text(name)} = {_quote_text(value)}" for name, value in properties.items())
            sql(f"ALTER TABLE {target} SET TBLPROPERTIES ({pairs})")


def _column_clause(schema: StructType, field: TypeDifference) -> str:
    name = ".".join(quote_identifier(part) for part in field.path)
    comment = schema[field.path[0]].metadata.get("comment") if len(field.path) == 1 else None
    kind = "" if field.wanted is None else field.wanted.simpleString()
    return f"{name} {kind}" + (f" COMMENT {_quote_text(comment)}" if comment else "")


def _quote_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _open_delta_transaction(table: Table) -> Any:
    """Delta's transaction; None over Connect, where its classes are others, or the table is of another catalog than
    Spark's own."""
    if is_connect_session(table.spark):
        return None
    jvm: Any = table.spark._jvm  # noqa: SLF001
    session = table.spark._jsparkSession  # noqa: SLF001
    log = getattr(jvm, f"{_DELTA_CLASSES}.DeltaLog")
    if type(log).__name__ == "JavaPackage":
        return None
    table.handle  # noqa: B018  says where the table is absent
    nothing = jvm.scala.Option.empty()
    if table.path is not None:
        return log.forTable(session, table.path).startTransaction(nothing, nothing)
    parts = table.name.removeprefix("spark_catalog.").split(".")
    if len(parts) > _SESSION_CATALOG_PARTS:
        return None
    identifier = session.sessionState().sqlParser().parseTableIdentifier(".".join(map(quote_identifier, parts)))
    return jvm.org.apache.spark.sql.delta.catalog.DeltaTableV2.apply(session, identifier, "").startTransaction(nothing)


def _each_of(sequence: Any) -> Iterator[Any]:
    """The items of a Scala sequence."""
    found = sequence.iterator()
    while found.hasNext():
        yield found.next()
