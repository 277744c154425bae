"""Reads tables for the web page: without Spark, or an error that says in words why not."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import pyarrow as pa
from deltalake.exceptions import DeltaError

from sparkscore.errors import ScanUnsupported, SparkNeeded, SparkscoreError, TableNotFound
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.store.direct_tables import DirectTable, RowSelection
from sparkscore.store.table import Table
from sparkscore.store.table_location import DIRECT_ERRORS

_Answer = TypeVar("_Answer")
MOST_ROWS = 1_000_000
"""Of one table that a page reads."""


class TableUnreadable(Exception):
    """Why a table cannot be shown, as a sentence for people."""


def read_table_rows(
    table: Table, *, columns: Sequence[str] | None = None, where: RowSelection | None = None
) -> pa.Table:
    """The rows whose column has one of the values; all rows for None.

    Jobs:    none.
    Raises:  TableUnreadable.
    """
    with explain_unreadable(table):
        return DirectTable.open_shared(table).read_rows(where, columns=columns)


def load_if_there(table: Table, load: Callable[[], _Answer]) -> _Answer | None:
    """What is loaded of a table; None where there is no table.

    Raises:  TableUnreadable.
    """
    with explain_unreadable(table):
        return load() if table.exists() else None


@contextmanager
def explain_unreadable(table: Table) -> Iterator[None]:
    """A block whose failures to read the table become a TableUnreadable."""
    try:
        yield
    except SparkNeeded:
        raise TableUnreadable(describe_unreadable(table)) from None
    except TableNotFound:
        raise TableUnreadable(f"There is no table {table.name}.") from None
    except (*DIRECT_ERRORS, SparkscoreError) as error:
        raise TableUnreadable(_describe_cause(table, error)) from error


def describe_unreadable(table: Table) -> str:
    """Why the table cannot be read without Spark, as a sentence."""
    if table.path is None:
        return f"{table.name} is a table of a catalog: Spark alone reaches it, and this page starts no Spark."
    try:
        DirectTable.open(table).read_rows()
    except (*DIRECT_ERRORS, SparkscoreError) as error:
        return _describe_cause(table, error)
    except SparkNeeded:
        pass
    return f"{table.name} can be read by Spark alone, and this page starts no Spark."


def _describe_cause(table: Table, error: Exception) -> str:
    if isinstance(error, ScanUnsupported):
        return f"{table.name} can be read by Spark alone ({error.found}), and this page starts no Spark."
    if isinstance(error, SparkscoreError):
        return f"{table.name} cannot be shown: {error.found}."
    if isinstance(error, PermissionError):
        return f"{table.name} cannot be read: this process has no permission to read its files."
    said = shorten_redacted(str(error).partition("\n")[0], 200)
    if isinstance(error, FileNotFoundError):
        return (
            f"Files of {table.name} are gone: vacuumed while they were read, or removed by hand. Load the page again;"
            f" if it stays like this, the table is damaged. {said}"
        )
    kind = "log" if isinstance(error, DeltaError) else "files"
    return f"The {kind} of {table.name} cannot be read; the table may be damaged. {type(error).__name__}: {said}"
