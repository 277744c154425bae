"""Values of a row as JSON has them."""

from base64 import b64encode
from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from sparkscore.records import to_utc_text

HIDDEN = "***"


def to_plain_row(row: Mapping[str, Any], kinds: pa.Schema, *, without: Collection[str], hidden: Collection[str]) -> Any:
    """The columns of a row but those of `without`, as JSON has them; `***` for those that may be shown nowhere."""
    return {
        name: HIDDEN if name in hidden and value is not None else _to_plain_value(value, kinds.field(name).type)
        for name, value in row.items()
        if name not in without
    }


def _to_plain_value(value: Any, kind: pa.DataType) -> Any:
    """Times in UTC, dates in ISO, decimals as text, bytes in base64, maps as objects."""
    if value is None or not pa.types.is_nested(kind):
        return _to_plain_scalar(value)
    if pa.types.is_map(kind):
        return {str(_to_plain_scalar(name)): _to_plain_value(one, kind.item_type) for name, one in value}
    if pa.types.is_struct(kind):
        return {name: _to_plain_value(one, kind.field(name).type) for name, one in value.items()}
    return [_to_plain_value(one, kind.value_type) for one in value]


def _to_plain_scalar(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_utc_text(value) if value.tzinfo is not None else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    return str(value) if isinstance(value, Decimal) else value
