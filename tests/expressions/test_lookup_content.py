"""What is read of a lookup table, and which tables are refused."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.expressions import lookup_content
from sparkscore.expressions.lookup_content import load_lookup_content
from sparkscore.records import LookupExpression, SourceColumn
from sparkscore.store.table import Table


@pytest.fixture(scope="module")
def table(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Table:
    """Five rows; `code` is unique where it is not NULL, `twice` is not."""
    path: Path = tmp_path_factory.mktemp("lookups") / "codes"
    rows = pa.table(
        {
            "code": pa.array([1, 2, 3, None, None], pa.int32()),
            "twice": ["secret", "secret", "b", "c", "c"],
            "at": [1.5, 2.5, None, 4.5, 5.5],
            "list": [[1], [2], [3], [4], [5]],
        }
    )
    spark.createDataFrame(rows).coalesce(1).write.format("delta").save(str(path))
    return Table.from_name(spark, str(path), home=str(path.parent))


def load(table: Table, value: str, *keys: str) -> Any:
    lookup = LookupExpression("codes", tuple((name, SourceColumn(name)) for name in keys), value)
    return load_lookup_content(table, 0, lookup)


def test_rows_without_a_key_are_left_out_and_whole_keys_are_long(table: Table) -> None:
    content = load(table, "at", "code")
    assert content.rows.schema.types == [pa.int64(), pa.float64()]
    assert sorted(content.rows.to_pydict()["key0"]) == [1, 2, 3]
    assert load(table, "at", "code", "twice").rows.num_rows == 3


@pytest.mark.parametrize(
    ("value", "keys", "told"),
    [
        ("at", ["twice"], r"codes has 2 keys of twice in more than one row"),
        ("at", ["cod"], r"codes has no column cod \(did you mean code\?\)"),
        ("list", ["code"], r"cannot be used by code \(int32\), list \(list"),
        ("code", ["at"], r"cannot be used by at \(double\)"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(table: Table, value: str, keys: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as refused:
        load(table, value, *keys)
    assert "secret" not in str(refused.value)


def test_a_large_table_is_refused(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup_content, "MAX_LOOKUP_ROWS", 2)
    with pytest.raises(ConfigError, match="more than 2 rows"):
        load(table, "at", "code")
