"""What was found for the rows in each feature table, by the flags beside the joined rows."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkscore.errors import DuplicateKeys
from sparkscore.ingest.features.feature_values import FeatureTable
from sparkscore.records import FLAG_AMBIGUOUS, FLAG_BITS, FLAG_MATCHED, ROW_FLAGS_COLUMN
from sparkscore.spark.identifiers import quote_identifier


def count_matched_rows(rows: DataFrame, tables: Sequence[FeatureTable]) -> dict[str, object]:
    """All rows, and for each table those that got a value: `rows` and `matched`.

    Jobs:    one that reads the flags; one more where it raises.
    Raises:  DuplicateKeys for a table with several values of one time, of which a row would get one.
    """
    counts = _count_flags(rows, len(tables))
    for place, one in enumerate(tables):
        _refuse_ambiguous_values(rows, one, place, rows_hit=counts[f"ambiguous{place}"])
    return {"rows": counts["rows"], "matched": [counts[f"matched{place}"] for place in range(len(tables))]}


def _count_flags(rows: DataFrame, tables: int) -> dict[str, int]:
    counts = [F.count(F.lit(1)).alias("rows")]
    for place in range(tables):
        counts.append(F.count_if(_has_flag(place, FLAG_MATCHED)).alias(f"matched{place}"))
        counts.append(F.count_if(_has_flag(place, FLAG_AMBIGUOUS)).alias(f"ambiguous{place}"))
    found = rows.agg(*counts).first()
    assert found is not None  # noqa: S101  an aggregate has one row
    return {str(name): int(count) for name, count in found.asDict().items()}


def _has_flag(place: int, flag: int) -> Column:
    return F.col(ROW_FLAGS_COLUMN).bitwiseAND(F.lit(flag << FLAG_BITS * place)) != 0


def _refuse_ambiguous_values(rows: DataFrame, table: FeatureTable, place: int, *, rows_hit: int) -> None:
    """Refuse a table with two values of one time for one key, where a row would get one of them."""
    if not rows_hit:
        return
    columns = [name for name, _ in table.join.keys]
    hit = rows.where(_has_flag(place, FLAG_AMBIGUOUS)).select(*map(quote_identifier, columns))
    times = table.join.time + ("" if table.join.known_at is None else f" and {table.join.known_at}")
    raise DuplicateKeys(
        f"the feature table {table.join.table} has several values of one {times} for {hit.distinct().count():,} keys"
        f" ({', '.join(columns)}), of which {rows_hit:,} rows would get one",
        "one value for each key and time: else it would be left to chance which one a row gets",
        "remove the duplicates from the feature table, or name in known_at the column that says which one was written"
        " last",
    )
