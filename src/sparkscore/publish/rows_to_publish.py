"""What a run publishes: its rows, and the columns that are constant for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from sparkscore.records import Run
from sparkscore.schemas import LINEAGE_COLUMNS, MODEL_LINEAGE
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.sql_texts import constant_text, name_expression


@dataclass(frozen=True, slots=True)
class RowsToPublish:
    """What a run publishes."""

    build: Callable[[SparkSession], DataFrame]
    """The rows, built in a session that is given to it: unique keys, the table's columns but for a run's constants."""
    names: Sequence[str]
    """The table's columns, in order."""
    scored: int
    """How many rows there are, marks of deleted keys among them."""
    rejected: int
    size: int | None = None
    """Bytes of the files that hold them; None where it is not known."""
    load: Callable[[], pa.Table | None] = lambda: None
    """The same rows without Spark; None where only Spark certainly makes them."""
    load_removed_keys: Callable[[SparkSession], DataFrame] | None = None
    """Keys whose rows of earlier as_ofs the commit removes; None where it removes none."""
    marked: int = 0
    """Of the rows, those that are no predictions, and say that the source no longer has their key."""


def ordered_lineage(run: Run) -> Mapping[str, object]:
    """The columns that are constant for a run, in the contract's order."""
    values = run.lineage_values(scored_at=datetime.now(UTC))
    return {column.name: values[column.name] for column in LINEAGE_COLUMNS}


def lineage_literals(run: Run) -> dict[str, str]:
    """The columns that are constant for a run, in the contract's order, as SQL: literals of the contract's types.

    Those in which each row names its own model (`MODEL_LINEAGE`) are what they are in the rows.
    """
    own = MODEL_LINEAGE if run.pins.has_groups else ()
    return {
        name: quote_identifier(name) if name in own else name_expression(constant_text(value), name)
        for name, value in ordered_lineage(run).items()
    }
