"""One table of a job brought to the newest schema version, and changed as asked: owner, columns, types. One commit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql.types import ArrayType, DataType, MapType, StructType

from sparkscore.errors import ConfigError, ForeignTable
from sparkscore.records import MigrationRequest, TableMigration
from sparkscore.schemas import CHALLENGERS_SUFFIX, RUN_CONSTANTS, SCHEMA_VERSION, columns_added_since
from sparkscore.spark.type_widening import (
    align_columns,
    can_hold_type,
    compare_types,
    describe_missing_fields,
    grow_struct,
    widen_field,
)
from sparkscore.store.guarded_writes import retry_on_conflict
from sparkscore.store.table import Table
from sparkscore.store.table_growth import (
    FORMER_JOBS_PROPERTY,
    JOB_PROPERTY,
    SCHEMA_PROPERTY,
    read_schema_version,
    to_spark_schema,
)
from sparkscore.store.table_transaction import TableTransaction


@dataclass(frozen=True, slots=True)
class PlannedMigration:
    """A table's columns and properties after the migration, and what that changes."""

    schema: StructType
    properties: Mapping[str, str]
    changes: TableMigration


def plan_table_migration(table: Table, suffix: str, request: MigrationRequest) -> PlannedMigration:
    """What the migration would change in the table. Changes nothing.

    Needs:   the `suffix` of the table's name: empty for the prediction table, which alone, with that of its
             challengers, loses columns.
    Raises:  ForeignTable for a table of a third job or of a newer version of sparkscore; ConfigError for columns that
             cannot be dropped or widened.
    """
    return _plan_migration(table.name, suffix, request, table.schema, table.properties)


@retry_on_conflict
def migrate_table(table: Table, suffix: str, request: MigrationRequest) -> TableMigration:
    """What was changed in the table, by one commit; none where nothing is to be changed.

    Jobs:    one that writes all rows anew where columns are dropped or widened, else none.
    Raises:  as `plan_table_migration`; PublishConflict if other writers keep committing first, AccessDenied,
             UnsupportedSession where rows cannot be written anew.
    """
    planned = plan_table_migration(table.refresh(), suffix, request)
    if not planned.changes.is_needed:
        return planned.changes
    transaction = TableTransaction.open(table, {"job": request.job, "migrated": True, "schema": SCHEMA_VERSION})
    planned = _plan_migration(table.name, suffix, request, transaction.schema, transaction.properties)
    if planned.changes.is_needed:
        rows = _align_rows(transaction, planned.schema) if planned.changes.is_rewrite else None
        transaction.commit(schema=planned.schema, properties=planned.properties, rows=rows)
    table.refresh()
    return planned.changes


def _align_rows(transaction: TableTransaction, schema: StructType) -> DataFrame:
    rows = transaction.table.load_rows(transaction.version)
    return rows.selectExpr(*align_columns(transaction.schema, schema))


def _plan_migration(
    name: str, suffix: str, request: MigrationRequest, found: StructType, properties: Mapping[str, str]
) -> PlannedMigration:
    version = read_schema_version(properties, name)
    owner = _plan_owner(name, request, properties)
    grown = grow_struct(found, to_spark_schema(columns_added_since(version, suffix)), top=True)
    added = describe_missing_fields(compare_types(found, grown))
    follows = suffix in ("", CHALLENGERS_SUFFIX)
    dropped = tuple(one for one in request.drop_columns if one in found.names) if follows else ()
    _refuse_to_drop_keys(found, dropped)
    kept = StructType([field for field in grown if field.name not in dropped])
    # that of challengers may lack a column that no challenger has ever had
    wider = {one: kind for one, kind in request.widen.items() if not suffix or one.partition(".")[0] in kept.names}
    widened, schema = _widen_columns(name, kept, wider) if follows else ((), kept)
    changes = TableMigration(
        name,
        version,
        SCHEMA_VERSION,
        added,
        dropped,
        widened,
        properties.get(JOB_PROPERTY) if owner else None,
    )
    return PlannedMigration(schema, {SCHEMA_PROPERTY: str(SCHEMA_VERSION), **owner}, changes)


def _plan_owner(name: str, request: MigrationRequest, properties: Mapping[str, str]) -> Mapping[str, str]:
    """The properties that make the job the table's owner; none where it is.

    Raises:  ForeignTable for a table of a third job.
    """
    owner = properties.get(JOB_PROPERTY, "")
    if owner == request.job:
        return {}
    if not owner or owner != request.rename_from:
        raise ForeignTable(
            f"{name} belongs to {f'the job {owner}' if owner else 'no job of this suite'}",
            f"a table of the job {request.rename_from or request.job}",
            "name the job that owns it with --rename-from, or give output.table another name",
        )
    former = [one for one in properties.get(FORMER_JOBS_PROPERTY, "").split(",") if one]
    return {JOB_PROPERTY: request.job, FORMER_JOBS_PROPERTY: ",".join([*former, owner])}


def _refuse_to_drop_keys(found: StructType, dropped: tuple[str, ...]) -> None:
    required = [name for name in dropped if not found[name].nullable or name in RUN_CONSTANTS]
    if required:
        raise ConfigError(
            f"--drop-column names {', '.join(required)}, which every row has",
            "columns that no run writes any more",
            "give output.table another name: the keys say what a row is",
        )


def _widen_columns(name: str, schema: StructType, widen: Mapping[str, str]) -> tuple[tuple[str, ...], StructType]:
    """The fields that get a wider type, as `field type`, and the columns with it."""
    paths, widened = dict(_list_plain_fields(schema, ())), []
    for field, text in widen.items():
        wanted = _parse_type(field, text)
        path = next((one for one in paths if ".".join(one) == field), None)
        if path is None or path[0] in RUN_CONSTANTS:
            raise ConfigError(
                f"--widen names {field}, which is no column of {name} with a plain type that the job decides on",
                f"one of {', '.join('.'.join(one) for one in paths if one[0] not in RUN_CONSTANTS)}",
                "check the name",
            )
        if can_hold_type(paths[path], wanted):
            continue
        if not can_hold_type(wanted, paths[path]):
            raise ConfigError(
                f"{field} is {paths[path].simpleString()}, and {wanted.simpleString()} does not hold all of its values",
                "a type that does: bigint for int, double for float or int, a decimal with as many digits",
                "give output.table another name, and the older predictions stay as they are",
            )
        schema = widen_field(schema, path, wanted)
        widened.append(f"{field} {wanted.simpleString()}")
    return tuple(widened), schema


def _parse_type(field: str, text: str) -> DataType:
    try:
        return DataType.fromDDL(text)
    except PySparkException as error:
        raise ConfigError(f"--widen {field}={text}", "a type of Spark SQL, for example double", "check it") from error


def _list_plain_fields(kind: DataType, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], DataType]]:
    if isinstance(kind, StructType):
        for field in kind:
            yield from _list_plain_fields(field.dataType, (*path, field.name))
    elif isinstance(kind, ArrayType):
        yield from _list_plain_fields(kind.elementType, (*path, "element"))
    elif isinstance(kind, MapType):
        yield from _list_plain_fields(kind.valueType, (*path, "value"))
    else:
        yield path, kind
