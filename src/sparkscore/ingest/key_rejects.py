"""Why runs have rejected one key: from the table of rejects, which holds keys as JSON."""

import hashlib
import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkscore.predicates.spark_values import to_typed_literal
from sparkscore.predicates.value_fitting import fit_filter_value
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.type_mapping import arrow_to_spark_type
from sparkscore.store.direct_tables import DirectTable
from sparkscore.store.table import Table
from sparkscore.store.table_growth import check_table_owner
from sparkscore.store.table_location import DIRECT_ERRORS

_COLUMNS = ("run_id", "code", "error", "message")
_MOST_DIRECT_ROWS = 1_000_000
"""Rejects whose keys the driver reads itself: some seconds."""


@dataclass(frozen=True, slots=True)
class KeyReject:
    """Why a run has rejected the key."""

    code: str
    error: str | None
    """Class of the model's error; None for a broken rule."""
    message: str | None


def load_key_rejects(
    table: Table, key: Mapping[str, object], kinds: pa.Schema, *, job: str, sensitive: Collection[str] = ()
) -> dict[str, KeyReject]:
    """The rejects of a key, by run_id; empty without a table. Of `sensitive` columns the table holds a hash.

    Needs:   values that fit the types of `kinds`, in the order of the job's keys.
    Jobs:    none; one where only Spark reaches the table, or where it is large.
    Raises:  SparkNeeded, ForeignTable.
    """
    if not table.exists():
        return {}
    check_table_owner(table, job=job)
    with suppress(*DIRECT_ERRORS):
        rows = DirectTable.open_shared(table).require_few_rows(_MOST_DIRECT_ROWS).read_rows(columns=("key", *_COLUMNS))
        return _by_run(_select_key(rows, key, kinds, sensitive).to_pylist())
    literals = [_key_literal(name, value, kinds.field(name).type, sensitive) for name, value in key.items()]
    wanted = F.to_json(F.struct(*literals), {"ignoreNullFields": "false"})
    with translate_spark_errors(f"reading {table.name}"):
        found = table.load_rows().where(F.col("key") == wanted).select(*_COLUMNS).collect()
    return _by_run(row.asDict() for row in found)


def _by_run(rows: Any) -> dict[str, KeyReject]:
    return {row["run_id"]: KeyReject(row["code"], row["error"], row["message"]) for row in rows}


def _key_literal(name: str, value: object, kind: pa.DataType, sensitive: Collection[str]) -> Column:
    literal = to_typed_literal(fit_filter_value(value, kind), arrow_to_spark_type(kind))
    stored = F.sha2(literal.cast("string").cast("binary"), 256) if name in sensitive else literal
    return stored.alias(name)


def _select_key(rows: pa.Table, key: Mapping[str, object], kinds: pa.Schema, sensitive: Collection[str]) -> pa.Table:
    """The rows whose JSON is the key's."""
    fitted = {name: fit_filter_value(value, kinds.field(name).type) for name, value in key.items()}
    texts = pc.unique(rows["key"]).to_pylist()
    equal = [text for text in texts if _is_key(text, fitted, kinds, sensitive)]
    return rows.filter(pc.is_in(rows["key"], pa.array(equal, pa.string())))


def _is_key(text: str, fitted: Mapping[str, Any], kinds: pa.Schema, sensitive: Collection[str]) -> bool:
    found = json.loads(text, parse_float=Decimal)
    return found.keys() == fitted.keys() and all(
        _is_equal(found[name], value, kinds.field(name).type, is_hash=name in sensitive)
        for name, value in fitted.items()
    )


def _is_equal(found: Any, value: Any, kind: pa.DataType, *, is_hash: bool) -> bool:
    if found is None:
        return False
    if is_hash:
        return bool(found == hashlib.sha256(_spark_text(value, kind).encode()).hexdigest())
    if pa.types.is_timestamp(kind):  # Spark's JSON cuts times to milliseconds
        return _cut_to_milliseconds(found) == _cut_to_milliseconds(value)
    if pa.types.is_boolean(kind) or isinstance(found, bool):
        return found is value
    return bool(found == value)


def _cut_to_milliseconds(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    moment = moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return moment - timedelta(microseconds=moment.microsecond % 1000)


def _spark_text(value: Any, kind: pa.DataType) -> str:
    """The text to which Spark casts a value in a session in UTC."""
    if isinstance(value, bool):
        return str(value).lower()
    if pa.types.is_timestamp(kind):
        moment = datetime.fromisoformat(value)
        plain = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo is not None else moment
        text = plain.isoformat(sep=" ")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date) else str(value)
