"""What a run publishes: its rows, and the columns that are constant for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from sparkscore.records import Run
from sparkscore.schemas import LINEAGE_COLUMNS
from sparkscore.spark.sql_texts import constant_text, name_expression


@dataclass(frozen=True, slots=True)
class RowsToPublish:
    """What a run publishes."""

    build: Callable[[SparkSession], DataFrame]
    """The rows, built in a session that is given to it: unique keys, the table's columns but for a run's constants."""
    names: Sequence[str]
    """The table's columns, in order."""
    scored: int
    """How many rows there are."""
    rejected: int
    size: int | None = None
    """Bytes of the files that hold them; None where it is not known."""
    load: Callable[[], pa.Table | None] = lambda: None
    """The same rows without Spark; None where only Spark certainly makes them."""


def ordered_lineage(run: Run) -> Mapping[str, object]:
    """The columns that are constant for a run, in the contract's order."""
    values = run.lineage_values(scored_at=datetime.now(UTC))
    return {column.name: values[column.name] for column in LINEAGE_COLUMNS}


def lineage_literals(run: Run) -> dict[str, str]:
    """The columns that are constant for a run, in the contract's order, as SQL: literals of the contract's types."""
    return {name: name_expression(constant_text(value), name) for name, value in ordered_lineage(run).items()}
