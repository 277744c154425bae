"""What a table lacks of its contract, and the one commit that adds it. Never takes anything away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql.types import StructField, StructType

from sparkscore.errors import ConfigError, ForeignTable
from sparkscore.schemas import RUN_CONSTANTS, SCHEMA_VERSION, ContractColumn, TableContract
from sparkscore.spark.type_mapping import arrow_to_spark_type
from sparkscore.spark.type_widening import TypeDifference, compare_types, describe_missing_fields, grow_struct
from sparkscore.store.guarded_writes import retry_on_conflict
from sparkscore.store.table import Table
from sparkscore.store.table_transaction import TableTransaction

JOB_PROPERTY = "sparkscore.job"
SCHEMA_PROPERTY = "sparkscore.schema"
FORMER_JOBS_PROPERTY = "sparkscore.former_jobs"


@dataclass(frozen=True, slots=True)
class TableGrowth:
    """What one commit adds to a table, and what it leaves alone."""

    schema: StructType
    """The table's columns after it."""
    added: tuple[str, ...]
    """The fields that are added, as `name type`."""
    unwritten: tuple[str, ...]
    """The fields that no run writes any more: they stay, and are NULL in new rows."""
    version: int
    """The schema version that the table has."""
    relaxed: bool
    """A value inside of a nested column may be NULL after it, and may not now."""

    @property
    def is_needed(self) -> bool:
        """Whether there is something to commit."""
        return bool(self.added) or self.relaxed or self.version < SCHEMA_VERSION


def plan_table_growth(table: Table, contract: TableContract, *, job: str) -> TableGrowth:
    """What the table lacks of its contract. Changes nothing.

    Raises:  ForeignTable for a table of another job or of a newer version of sparkscore; ConfigError for other keys,
             and for columns of a type that cannot hold what the job writes.
    """
    check_table_owner(table, job=job)
    return _plan_growth(table, contract.columns, table.schema, table.properties)


@retry_on_conflict
def grow_table(table: Table, contract: TableContract, *, job: str) -> None:
    """Add what the table lacks of its contract and of the newest schema version, in one commit; none for nothing.

    Jobs:    none.
    Raises:  as `plan_table_growth`; PublishConflict if other writers keep committing first, AccessDenied.
    """
    growth = plan_table_growth(table, contract, job=job)
    if not growth.is_needed:
        return
    table.refresh()  # whoever was faster may have added it
    transaction = TableTransaction.open(table, {"job": job, "added": growth.added, "schema": SCHEMA_VERSION})
    growth = _plan_growth(table, contract.columns, transaction.schema, transaction.properties)
    if growth.is_needed:
        transaction.commit(schema=growth.schema, properties={SCHEMA_PROPERTY: str(SCHEMA_VERSION)})


def check_table_owner(table: Table, *, job: str) -> None:
    """Refuse a table that this job does not own.

    Raises:  ForeignTable.
    """
    found = table.properties.get(JOB_PROPERTY)
    if found != job:
        raise ForeignTable(
            f"{table.name} belongs to {f'the job {found}' if found else 'no job of this suite'}",
            f"a table of the job {job}",
            "give output.table another name; if the job was renamed, `migrate --rename-from` gives it its tables",
        )
    read_schema_version(table.properties, table.name)


def list_former_jobs(*tables: Table) -> tuple[str, ...]:
    """The names that the job of these tables had before, oldest first: from the first table that knows some.

    Raises:  AccessDenied.
    """
    found = (table.properties.get(FORMER_JOBS_PROPERTY, "") for table in tables if table.exists())
    names = next((one for one in found if one), "")
    return tuple(names.split(",")) if names else ()


def read_schema_version(properties: Mapping[str, str], name: str) -> int:
    """The schema version of a table.

    Raises:  ForeignTable for a newer one than this version of sparkscore knows.
    """
    found = properties.get(SCHEMA_PROPERTY, "")
    if not found.isdigit() or int(found) > SCHEMA_VERSION:
        raise ForeignTable(
            f"{name} has schema {found or 'unknown'}", f"schema {SCHEMA_VERSION} or older", "upgrade sparkscore"
        )
    return int(found)


def _plan_growth(
    table: Table, columns: Sequence[ContractColumn], found: StructType, properties: Mapping[str, str]
) -> TableGrowth:
    wanted = to_spark_schema(columns)
    _refuse_other_keys(table, found, wanted)
    differences = list(compare_types(found, wanted))
    _refuse_unfit_types(table, [one for one in differences if one.kind in ("clash", "narrow")])
    added = describe_missing_fields(differences)
    grown = grow_struct(found, wanted, top=True)
    return TableGrowth(
        grown,
        added,
        tuple(one.name for one in differences if one.kind == "unwritten"),
        read_schema_version(properties, table.name),
        relaxed=not added and grown != found,
    )


def to_spark_schema(columns: Sequence[ContractColumn]) -> StructType:
    """Columns of a contract as Spark's, with their comments."""
    return StructType(
        [
            StructField(one.name, arrow_to_spark_type(one.type), one.nullable, {"comment": one.comment})
            for one in columns
        ]
    )


def _refuse_other_keys(table: Table, found: StructType, wanted: StructType) -> None:
    """Refuse other keys than the table's: they say what a row is, and the rows that are there would lack them."""
    theirs, ours = _required_names(found), _required_names(wanted)
    if theirs and theirs != ours:
        raise ConfigError(
            f"{table.name} has one row per ({', '.join(theirs)}, as_of), and the job writes one per"
            f" ({', '.join(ours)}, as_of)",
            "the keys with which the table was made",
            "restore source.keys, or give output.table another name",
        )


def _required_names(schema: StructType) -> list[str]:
    return sorted(one.name for one in schema if not one.nullable and one.name not in RUN_CONSTANTS)


def _refuse_unfit_types(table: Table, differences: Sequence[TypeDifference]) -> None:
    if not differences:
        return
    narrow = [one for one in differences if one.kind == "narrow" and one.wanted is not None]
    widening = " ".join(f"--widen {one.name}={one.wanted.simpleString()}" for one in narrow if one.wanted)
    raise ConfigError(
        f"{table.name} has other columns than the job writes: {'; '.join(map(_difference_text, differences))}",
        "columns whose types can hold what the job writes",
        f"`migrate {widening}` writes the table anew with the wider types"
        if len(narrow) == len(differences)
        else "give output.table another name, or restore the config",
    )


def _difference_text(one: TypeDifference) -> str:
    wanted = one.wanted.simpleString() if one.wanted else ""
    if one.found is None:
        return f"{one.name} {wanted} is there in other letters, and Delta tells no names apart by case"
    return f"{one.name} is {one.found.simpleString()}, the job writes {wanted}"
