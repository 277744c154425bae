"""What is landed of sources without versions: one table per job and as_of, and the columns that a job's source has."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import MappingProxyType

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StringType, StructField, StructType

from sparkscore.errors import PublishConflict, TableNotFound
from sparkscore.records import LandedRows, TableRef, UnversionedSource, format_commit_note, to_utc_text
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.store.commit_history import load_commit_notes
from sparkscore.store.delta_handle import create_delta_table
from sparkscore.store.guarded_writes import append_rows
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import PLAIN_READER_PROPERTIES
from sparkscore.store.table_growth import JOB_PROPERTY

_CHANGES_SUFFIX = "-changes"
LANDING_FOLDER = re.compile(rf"\d{{8}}T\d{{6}}(\.\d+)?Z({_CHANGES_SUFFIX})?")
"""The folders of an as_of's tables, in that of its job."""
_SCHEMA_FOLDER = "schema"
_SCHEMA_PROPERTY = "sparkscore.landing.schema"
_PLAIN_NAME = re.compile(r"[^ ,;{}()\n\t=]+")
NO_STATISTICS = {"delta.dataSkippingNumIndexedCols": "0"}
"""What is landed is read as a whole: its filter was applied when it was."""
_KEY, _ADOPTED = "landing", "adopted"


def landing_ref(name: str, folder: str, as_of: datetime) -> TableRef:
    """Where an as_of of a job is landed; it has the name of the source, for messages and lineage."""
    return TableRef(name, f"{folder}/{landing_folder_name(as_of)}")


def landing_folder_name(as_of: datetime) -> str:
    """The folder of an as_of's table in that of its job."""
    return re.sub(r"[:-]", "", to_utc_text(as_of))


def changes_folder_name(as_of: datetime) -> str:
    """The folder of the changes that an as_of's run scores, in that of its job."""
    return f"{landing_folder_name(as_of)}{_CHANGES_SUFFIX}"


def find_landed_rows(table: Table, digest: str) -> LandedRows | None:
    """The newest landing of what the digest means; None where it was not landed, or not to the end.

    Jobs:    none; the table's history where only Spark reads it.
    Raises:  AccessDenied.
    """
    if not table.refresh().exists():
        return None
    notes = [(version, note) for version, note in load_commit_notes(table) if note.get("digest") == digest]
    adopted = {note[_ADOPTED]: note.get("found") or {} for _, note in notes if _ADOPTED in note}
    found = [
        LandedRows(
            version,
            digest,
            note[_KEY],
            datetime.fromisoformat(note["at"]),
            note.get("batch", {}),
            adopted.get(note[_KEY], {}),
        )
        for version, note in notes
        if _KEY in note and (not note.get("unsure") or note[_KEY] in adopted)
    ]
    return found[-1] if found else None


def count_landings(table: Table, digest: str) -> int:
    """How often what the digest means was landed here, also what nobody adopted."""
    if not table.refresh().exists():
        return 0
    notes = (note for _, note in load_commit_notes(table) if note.get("digest") == digest)
    return max((note[_KEY] for note in notes if _KEY in note), default=0)


def write_landed_rows(
    frame: DataFrame, table: Table, source: UnversionedSource, *, job: str, number: int, writer: str, is_unsure: bool
) -> int | None:
    """The version of one commit that holds exactly these rows; None where another writer has made this landing.

    A killed writer leaves files that no version names. `is_unsure`: nobody reads them before `adopt_landed_rows`.

    Jobs:    one that reads the source, none where it is skipped.
    Raises:  PublishConflict, AccessDenied, and whatever the source's reader raises.
    """
    note = describe_landed_rows(source, job=job, number=number, writer=writer, is_unsure=is_unsure)
    options = {
        **_commit_options(source, number, note),
        **choose_landing_options(frame.schema),
        "overwriteSchema": "true",
    }
    append_rows(frame, table, options=options, mode="overwrite")
    found = table.refresh().find_commit(lambda text: writer in text)
    return None if found is None else found[0]


def describe_landed_rows(
    source: UnversionedSource, *, job: str, number: int, writer: str, is_unsure: bool = False
) -> Mapping[str, object]:
    """What the commit of a landing says of it: `find_landed_rows` reads it."""
    return {
        _KEY: number,
        "digest": source.digest,
        "at": to_utc_text(datetime.now(UTC)),
        "unsure": is_unsure,
        "job": job,
        "writer": writer,
        "format": source.format,
        "source": source.ref.name,
        "options": dict(source.shown),
        "where": [condition.description for condition in source.where],
        **({"batch": dict(source.batch)} if source.batch else {}),
    }


def landing_guard(source: UnversionedSource, number: int, *, purpose: str = _KEY) -> tuple[str, int]:
    """What makes the commit of a landing happen once: Delta's application id, and the version of it."""
    return f"sparkscore/{purpose}/{source.digest}", number


def adopt_landed_rows(
    table: Table, source: UnversionedSource, number: int, *, found: Mapping[str, object] = MappingProxyType({})
) -> None:
    """Say, in a commit of its own, that what was landed is what the source held: from now on it is read.

    `found`: what else there is to say of it.

    Jobs:    a small one.
    Raises:  PublishConflict, AccessDenied.
    """
    note = {_ADOPTED: number, "digest": source.digest, **({"found": dict(found)} if found else {})}
    options = _commit_options(source, number, note, purpose=_ADOPTED)
    append_rows(table.load_rows().limit(0), table, options=options)
    table.refresh()


def _commit_options(
    source: UnversionedSource, number: int, note: Mapping[str, object], *, purpose: str = _KEY
) -> dict[str, str]:
    app_id, version = landing_guard(source, number, purpose=purpose)
    return {
        "txnAppId": app_id,
        "txnVersion": str(version),
        "userMetadata": format_commit_note(note),
    }


def choose_landing_options(schema: StructType) -> dict[str, str]:
    """Options of a new table: of the plainest reader, unless a name is one that only mapped columns can have."""
    if has_plain_names(schema):
        return {**NO_STATISTICS, **PLAIN_READER_PROPERTIES}
    return {**NO_STATISTICS, "delta.columnMapping.mode": "name", "delta.enableDeletionVectors": "false"}


def has_plain_names(schema: StructType) -> bool:
    """Whether a table without mapped columns can have columns of these names."""
    return is_plain_landing(_all_names(schema))


def is_plain_landing(names: Iterable[str]) -> bool:
    """Whether a table without mapped columns can have these names."""
    return all(_PLAIN_NAME.fullmatch(name) for name in names)


def _all_names(schema: StructType) -> Iterator[str]:
    """The names of all columns, nested ones too."""
    waiting: list[object] = [schema.jsonValue()]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield from [str(part["name"])] if "name" in part and "nullable" in part else []
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def load_pinned_schema(spark: SparkSession, folder: str) -> StructType | None:
    """The columns that a job's source had at its first as_of; None where none was landed yet.

    Jobs:    none.
    Raises:  AccessDenied.
    """
    try:
        found = _schema_table(spark, folder).properties.get(_SCHEMA_PROPERTY)
    except TableNotFound:
        return None
    return None if found is None else StructType.fromJson(json.loads(found))


def pin_schema(spark: SparkSession, folder: str, schema: StructType, *, job: str) -> StructType:
    """Keep the columns for later as_ofs; those that are kept already, by whoever was first.

    Jobs:    none.
    Raises:  AccessDenied.
    """
    table = _schema_table(spark, folder)
    comment = f"No rows: the property {_SCHEMA_PROPERTY} holds the columns of the job's source."
    properties = {**PLAIN_READER_PROPERTIES, JOB_PROPERTY: job, _SCHEMA_PROPERTY: schema.json()}
    columns = StructType([StructField("nothing", StringType())])
    with _ignore_faster_one(), translate_spark_errors(f"creating {table.path}"):
        create_delta_table(spark, table.ref, columns, comment=comment, properties=properties)
    return load_pinned_schema(spark, folder) or schema


def _schema_table(spark: SparkSession, folder: str) -> Table:
    path = f"{folder}/{_SCHEMA_FOLDER}"
    return Table(spark, TableRef(path, path))


@contextmanager
def _ignore_faster_one() -> Iterator[None]:
    try:
        yield
    except PublishConflict:
        return
