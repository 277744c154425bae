"""The publication of few rows into an as_of without rows: the driver writes one file and commits it, without Spark."""

from collections.abc import Sequence

import pyarrow as pa

from sparkscore.publish.rows_to_publish import RowsToPublish, ordered_lineage
from sparkscore.records import Run
from sparkscore.schemas import LINEAGE_COLUMNS
from sparkscore.store.direct_commits import append_directly
from sparkscore.store.table import Table
from sparkscore.store.table_location import DIRECT_ERRORS

_MOST_BYTES = 8 << 20
"""Of the stage's files. Spark begins to be as fast where it has work for more than one task."""
_ROW_GROUP_ROWS = 1 << 20


def append_few_rows(rows: RowsToPublish, run: Run, target: Table, *, keys: Sequence[str], note: str) -> bool:
    """Whether the guard of the run's commit is in the table now, with the rows of this run or another's.

    False: nothing was committed, and Spark has to do it: many rows, types or tables of which only Spark is certain, and
    tables in object stores. There Delta's writers in one JVM lock out one another alone, and what they write in the
    moment after they have looked takes the place of what others have committed.

    Jobs:    none.
    Raises:  PublishConflict if other writers keep committing first.
    """
    if rows.size is None or rows.size > _MOST_BYTES:
        return False
    try:
        if target.location.filesystem is not None:
            return False
        own = rows.load()
        if own is None or own.num_rows != rows.scored or not own.num_rows:
            return False
        made, guard = _add_constants(own, rows.names, run, keys), (run.txn_app_id, run.txn_version)
        return append_directly(target, made, guard=guard, note=note, row_group_rows=_ROW_GROUP_ROWS) is not None
    except (*DIRECT_ERRORS, KeyError):
        return False


def _add_constants(own: pa.Table, names: Sequence[str], run: Run, keys: Sequence[str]) -> pa.Table:
    values, constants = ordered_lineage(run), {column.name: column for column in LINEAGE_COLUMNS}
    fields, columns = [], []
    for name in names:
        if name in constants and name not in own.column_names:
            column = constants[name]
            fields.append(pa.field(name, column.type, column.nullable))
            columns.append(pa.repeat(pa.scalar(values[name], column.type), own.num_rows))
        else:
            fields.append(pa.field(name, own.schema.field(name).type, name not in keys))
            columns.append(own.column(name))
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))
