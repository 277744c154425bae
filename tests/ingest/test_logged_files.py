"""What a log has as text becomes paths and values, or is left to Spark."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import fs

from sparkscore.errors import ScanUnsupported
from sparkscore.ingest.logged_files import locate_logged_file, parse_partition_values, to_scan_files
from sparkscore.records import TableLocation
from sparkscore.store.log_replay import LOGGED_FILES

LOCAL = TableLocation("/home/a b", "/home/a b")
S3 = TableLocation("s3://bucket/lake/t", "bucket/lake/t", fs.S3FileSystem(region="eu-central-1", anonymous=True))


@pytest.mark.parametrize(
    ("location", "path", "found"),
    [
        (LOCAL, "p=a%2520b/x%20y.parquet", "p=a%20b/x y.parquet"),
        (LOCAL, "file:/other/a%20b.parquet", "//other/a b.parquet"),
        (LOCAL, "file:///other/a.parquet", "//other/a.parquet"),
        (S3, "x.parquet", "x.parquet"),
        (S3, "s3a://bucket/other/x%20y.parquet", "/bucket/other/x y.parquet"),
    ],
)
def test_paths_of_the_log_are_found_in_the_tables_file_system(location: TableLocation, path: str, found: str) -> None:
    assert locate_logged_file(path, location) == found


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (LOCAL, "s3a://bucket/x"),
        (LOCAL, "file://host/x"),
        (S3, "s3a://elsewhere/x"),
        (S3, "file:/x"),
        (S3, "/x"),
        (S3, "gs://bucket/x"),
    ],
)
def test_files_in_another_store_are_left_to_spark(location: TableLocation, path: str) -> None:
    with pytest.raises(ScanUnsupported, match="another store"):
        locate_logged_file(path, location)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (pa.string(), "a", "a"),
        (pa.binary(), "ü", "ü".encode()),
        (pa.bool_(), "true", True),
        (pa.int8(), "-3", -3),
        (pa.float32(), "1.0E-10", 1.000000013351432e-10),
        (pa.float64(), "-Infinity", float("-inf")),
        (pa.decimal128(5, 2), "1.5", Decimal("1.50")),
        (pa.date32(), "1582-10-15", date(1582, 10, 15)),
        (pa.timestamp("us"), "1500-01-01 01:01:01", datetime(1500, 1, 1, 1, 1, 1)),  # noqa: DTZ001  it has no zone
        (pa.timestamp("us", "UTC"), "2020-01-01 00:00:00.5", datetime(2020, 1, 1, 0, 0, 0, 500_000, UTC)),
        (pa.timestamp("us", "UTC"), "2020-01-01T00:00:00.000001Z", datetime(2020, 1, 1, 0, 0, 0, 1, UTC)),
    ],
)
def test_values_of_partitions_are_parsed_and_empty_ones_are_null(kind: pa.DataType, text: str, value: Any) -> None:
    assert parse_partition_values([text, "", None], kind).to_pylist() == [value, None, None]


@pytest.mark.parametrize(
    ("kind", "text"),
    [(pa.bool_(), "1"), (pa.int8(), "300"), (pa.decimal128(5, 2), "0.001"), (pa.list_(pa.int8()), "1")],
)
def test_a_value_that_is_none_of_its_columns_type_is_not_shown_and_left_to_spark(kind: pa.DataType, text: str) -> None:
    with pytest.raises(ScanUnsupported) as unsure:
        parse_partition_values([text], kind)
    assert text not in unsure.value.found


def test_statistics_that_are_no_values_of_the_column_are_unknown() -> None:
    stats = [
        '{"numRecords": 3, "minValues": {"d": 1.50, "f": "NaN", "n": 1.5}, "nullCount": {"d": 1}}',
        '{"numRecords": 2, "minValues": {"d": 100000.125, "f": 0.1, "n": 300}}',
        None,
    ]
    rows: list[dict[str, Any]] = [
        {"path": str(place), "size": 1, "partitionValues": [], "stats": text} for place, text in enumerate(stats)
    ]
    fields = {"d": pa.decimal128(5, 2), "f": pa.float64(), "n": pa.int8()}
    found = to_scan_files(
        pa.Table.from_pylist(rows, LOGGED_FILES),
        LOCAL,
        partitions={},
        statistics={name: pa.field(name, kind) for name, kind in fields.items()},
    )
    assert found["num_records"].to_pylist() == [3, 2, None]
    assert found["min.d"].to_pylist() == [Decimal("1.50"), None, None]
    assert found["min.f"].to_pylist() == [None, 0.1, None]
    assert found["min.n"].to_pylist() == [None, None, None]
    assert found["null_count.d"].to_pylist() == [1, None, None]
    assert found["deletion_vector"].null_count == 3
