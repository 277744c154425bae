"""Views with one row per item of a list of the prediction table."""

from collections.abc import Mapping, Sequence
from itertools import takewhile

import pyarrow as pa
import structlog
from pyspark.sql.types import ArrayType, DataType, StructType

from sparkscore.errors import ConfigError
from sparkscore.records import TableRef
from sparkscore.schemas import TableContract
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier, quote_table
from sparkscore.spark.sql_texts import name_expression, text_literal
from sparkscore.store.table import Table

log = structlog.get_logger("sparkscore")

_POSITION, _ITEM = "position", "item"
_CONSTANTS = ("as_of", "as_of_date", "run_id")
_COMMENT = "One row per item of a list of the prediction table; made by sparkscore (output.explode)."
_LATERAL = "_sparkscore_items"


def check_exploded_views(explode: Mapping[str, str], contract: TableContract, *, keys: Sequence[str]) -> None:
    """Refuse views of columns that are no lists, or whose columns would have the same names.

    Raises:  ConfigError.
    """
    types = {column.name: column.type for column in contract.columns}
    for column, view in explode.items():
        kind = types[column]
        if not pa.types.is_list(kind):
            raise ConfigError(
                f"output.explode names {column}, which is {kind}",
                "a list",
                "name a column with a list, as `top` makes one",
            )
        fields = [field.name for field in kind.value_type] if pa.types.is_struct(kind.value_type) else [_ITEM]
        names = [name.lower() for name in (*keys, _POSITION, *fields, *_CONSTANTS)]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ConfigError(
                f"the view {view} of output.explode would have two columns {', '.join(repeated)}",
                "keys with other names than position, item, as_of, as_of_date, run_id and the fields of the items",
                "give the keys other names by output.rename",
            )


def exploded_query(table: Table, column: str, *, keys: Sequence[str]) -> str:
    """The items of a list with the row's keys, their position from 0, as_of and run_id. A NULL or empty list has none.

    Needs:   a column of the table with a list.
    """
    item, place = f"{_LATERAL}.{_ITEM}", f"{_LATERAL}.{_POSITION}"
    columns = [quote_identifier(key) for key in keys]
    columns += [name_expression(place, _POSITION), *_item_columns(item, _find_item_type(table, column)), *_CONSTANTS]
    items = f"LATERAL VIEW posexplode({quote_identifier(column)}) {_LATERAL} AS {_POSITION}, {_ITEM}"
    return f"SELECT {', '.join(columns)} FROM {table.sql_name} {items}"  # noqa: S608  quoted


def ensure_exploded_views(table: Table, explode: Mapping[str, str], *, keys: Sequence[str]) -> None:
    """Create the views of `output.explode` in the table's catalog; without a catalog none: they would end with the
    session.

    A view that the suite has made follows the config; one of the same name that somebody else has made stays.

    Raises:  AccessDenied.
    """
    if table.path is not None:
        return
    for column, name in explode.items():
        view = quote_table(TableRef(".".join((*table.name.split(".")[:-1], name)), None))
        with translate_spark_errors(f"creating the view {name}"):
            _ensure_view(table, view, exploded_query(table, column, keys=keys))


def _ensure_view(table: Table, view: str, query: str) -> None:
    spark = table.spark
    spark.sql(f"CREATE VIEW IF NOT EXISTS {view} COMMENT {text_literal(_COMMENT)} AS {query}")
    rows = [(row["col_name"], row["data_type"]) for row in spark.sql(f"DESCRIBE TABLE EXTENDED {view}").collect()]
    if ("Comment", _COMMENT) not in rows:
        log.warning("a view of output.explode has been made by somebody else, and stays as it is", view=view)
        return
    columns = list(takewhile(lambda row: row[0], rows))
    wanted = [(field.name, field.dataType.simpleString()) for field in spark.sql(query).schema]
    if ("View Text", query) not in rows or columns != wanted:
        spark.sql(f"ALTER VIEW {view} AS {query}")


def _find_item_type(table: Table, column: str) -> DataType:
    kind = table.in_session(table.spark).schema[column].dataType
    assert isinstance(kind, ArrayType)  # noqa: S101 - it was checked before the run
    return kind.elementType


def _item_columns(item: str, kind: DataType) -> list[str]:
    if not isinstance(kind, StructType):
        return [name_expression(item, _ITEM)]
    return [name_expression(f"{item}.{quote_identifier(field.name)}", field.name) for field in kind]
