# ruff: noqa: S608 - the statements are the test's own
"""Tables with a past of any kind are read as Spark reads them: features, types, changes and filters by chance."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from sparkscore.ingest.file_listing import plan_file_scan
from sparkscore.records import Condition
from sparkscore.spark.isolated_session import create_run_session
from tests.examples import examples, more_examples_in_slow
from tests.ingest.parity import assert_reads_as_spark, pin

SCALARS = {
    "tinyint": "cast(id % 50 - 25 as tinyint)",
    "smallint": "cast(id * 31 % 3000 - 1500 as smallint)",
    "int": "cast(id * 7919 % 100000 - 50000 as int)",
    "bigint": "id * 9007199254740993",
    "float": "cast(if(id % 13 = 0, 'NaN', id * 0.1) as float)",
    "double": "cast(if(id % 7 = 0, '-0.0', id * 0.1) as double)",
    "decimal(5,2)": "cast((id % 1000) * 0.37 - 99.5 as decimal(5,2))",
    "string": "concat(repeat('é', id % 40), id % 9)",
    "binary": "cast(concat('x', id) as binary)",
    "boolean": "id % 3 = 0",
    "date": "date_add(date'1582-10-10', cast(id * 37 as int))",
    "timestamp": "timestamp_micros(id * 1000003 - 5)",
}
WIDER = {
    "tinyint": ["smallint", "int", "bigint", "double"],
    "smallint": ["int", "bigint", "double", "decimal(14,3)"],
    "int": ["bigint", "double", "decimal(12,2)"],
    "bigint": ["decimal(22,2)"],
    "float": ["double"],
    "decimal(5,2)": ["decimal(9,2)", "decimal(14,6)"],
}
PARTITIONS = {
    "string": "array('a b/ü=%', 'x', null)[id % 3]",
    "int": "array(-1, 7, null)[id % 3]",
    "date": "array(date'1582-10-15', date'2020-01-01', null)[id % 3]",
    "timestamp": "array(timestamp'2020-01-01 00:00:00.123456', timestamp'1900-01-01', null)[id % 3]",
    "double": "array(double('-0.0'), double('NaN'), 1e-300D)[id % 3]",
    "binary": "array(X'4142', X'c3bc', null)[id % 3]",
    "decimal(9,3)": "array(1.5, -0.001, null)[id % 3]",
}
FILTERS: dict[str, list[tuple[str, Any]]] = {
    "id": [("<", 150), (">=", 420), ("in", (3, 250, 777))],
    "tinyint": [(">", 20), ("=", 3)],
    "int": [("<", -40_000), ("is null", None)],
    "bigint": [(">", 9_007_199_254_740_993 * 300)],
    "float": [(">", 30.0), ("<=", 0.1)],
    "double": [("=", 0.0), ("is not null", None), (">", 60.5)],
    "decimal(5,2)": [("<", "-90.5")],
    "string": [(">=", "é8"), ("=", "0")],
    "date": [(">", "1640-01-01")],
    "timestamp": [("<", "1970-01-01T00:02:00Z")],
}
Kind = str | tuple[str, Any]
"""A scalar's name; a struct's fields; the type inside of an array or a map."""


def type_sql(kind: Kind) -> str:
    if isinstance(kind, str):
        return kind
    name, inner = kind
    if name == "struct":
        return f"struct<{', '.join(f'`{field}`: {type_sql(one)}' for field, one in inner.items())}>"
    return f"array<{type_sql(inner)}>" if name == "array" else f"map<string, {type_sql(inner)}>"


def value_sql(kind: Kind, salt: int = 0) -> str:
    """An expression of `id` for values of a type, NULL now and then."""
    if isinstance(kind, str):
        narrow = next((old for old, wider in WIDER.items() if kind in wider), kind)
        value = f"cast({SCALARS[kind if kind in SCALARS else narrow]} as {kind})"
    elif kind[0] == "struct":
        parts = (f"'{field}', {value_sql(one, salt + 1 + place)}" for place, (field, one) in enumerate(kind[1].items()))
        value = f"named_struct({', '.join(parts)})"
    elif kind[0] == "array":
        value = f"if(id % 5 = 0, array(), array({value_sql(kind[1], salt + 1)}, {value_sql(kind[1], salt + 2)}))"
    else:
        value = f"map('k', {value_sql(kind[1], salt + 1)})"
    return f"if((id + {salt}) % 17 = 0, null, {value})"


@dataclass
class History:
    """A table, what its columns are now, and its changes as SQL."""

    spark: SparkSession
    folder: Path
    columns: dict[str, Kind]
    partition: tuple[str, str] | None = None
    rows: int = 0
    widened_floats: set[str] = field(default_factory=set)
    names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def table(self) -> str:
        return f"delta.`{self.folder}`"

    def sql(self, statement: str) -> None:
        self.spark.sql(statement)

    def create(self, properties: dict[str, str], clustered: bool) -> None:
        columns = {"id": "bigint", **self.columns} | (
            {} if self.partition is None else {self.partition[0]: self.partition[1]}
        )
        listed = ", ".join(f"`{name}` {type_sql(kind)}" for name, kind in columns.items())
        layout = f"partitioned by (`{self.partition[0]}`)" if self.partition else "cluster by (id)" if clustered else ""
        pairs = ", ".join(f"'delta.{name}' = '{value}'" for name, value in properties.items())
        self.sql(f"create table {self.table} ({listed}) using delta {layout} tblproperties ({pairs})")

    def select(self, first: int, count: int) -> str:
        values = {name: value_sql(kind) for name, kind in self.columns.items()}
        if self.partition is not None:
            values[self.partition[0]] = f"cast({PARTITIONS[self.partition[1]]} as {self.partition[1]})"
        chosen = ", ".join(f"{value} `{name}`" for name, value in values.items())
        return f"select id, {chosen} from range({first}, {first + count}, 1, 1)"

    def insert(self, count: int) -> None:
        rows = self.spark.sql(self.select(self.rows, count))
        rows.write.format("delta").mode("append").save(str(self.folder))
        self.rows += count

    def merge(self, every: int) -> None:
        source = self.select(self.rows - 40, 80)
        self.sql(
            f"merge into {self.table} t using ({source}) s on t.id = s.id"
            f" when matched and t.id % {every} = 0 then delete when matched then update set *"
            " when not matched then insert *"
        )
        self.rows += 40

    def delete_between(self, first: int, last: int) -> None:
        self.sql(f"delete from {self.table} where id between {first} and {last}")

    def update(self, every: int) -> None:
        for name, kind in itertools.islice(self.columns.items(), 1):
            shifted = value_sql(kind, 3)
            self.sql(f"update {self.table} set `{name}` = {shifted} where id % {every} = 1")


KINDS = st.one_of(
    st.sampled_from([*SCALARS]),
    st.sampled_from([*WIDER]).map(lambda kind: ("struct", {"a": kind, "b": "string"})),
    st.sampled_from([*WIDER]).map(lambda kind: ("array", ("struct", {"a": kind}))),
    st.sampled_from([*WIDER]).map(lambda kind: ("map", ("struct", {"a": kind}))),
    st.just(("array", "int")),
)


def draw_table(data: st.DataObject, spark: SparkSession, folder: Path) -> tuple[History, dict[str, str]]:
    columns = dict(enumerate(data.draw(st.lists(KINDS, min_size=2, max_size=5), "columns")))
    partition = data.draw(st.sampled_from([None, *PARTITIONS]), "partition")
    history = History(
        spark,
        folder,
        {f"c{number}": kind for number, kind in columns.items()},
        None if partition is None else ("part", partition),
    )
    properties = {
        "enableDeletionVectors": data.draw(st.sampled_from(["true", "true", "false"])),
        "columnMapping.mode": data.draw(st.sampled_from(["none", "name", "name", "id"])),
        "enableTypeWidening": data.draw(st.sampled_from(["true", "false"])),
        "checkpointPolicy": data.draw(st.sampled_from(["classic", "v2"])),
        "checkpointInterval": data.draw(st.sampled_from(["3", "10"])),
        "enableRowTracking": data.draw(st.sampled_from(["true", "false"])),
        "enableInCommitTimestamps": data.draw(st.sampled_from(["true", "false"])),
    }
    history.create(properties, clustered=data.draw(st.booleans()))
    history.insert(200)
    return history, properties


def draw_change(data: st.DataObject, history: History, properties: dict[str, str]) -> None:
    """One more change, of those that the table allows."""
    changes: list[Callable[[], None]] = [
        lambda: history.insert(data.draw(st.sampled_from([1, 150, 400]))),
        lambda: history.sql(f"delete from {history.table} where id % {data.draw(st.integers(2, 40))} = 0"),
        lambda: history.delete_between(data.draw(st.integers(0, 200)), data.draw(st.integers(150, 400))),
        lambda: history.update(data.draw(st.integers(3, 50))),
        lambda: history.merge(data.draw(st.integers(2, 9))),
        lambda: history.sql(f"optimize {history.table}"),
        lambda: add_column(data, history),
        lambda: add_field(data, history),
    ]
    if properties["columnMapping.mode"] != "none":
        changes += [
            lambda: rename_column(data, history),
            lambda: drop_column(data, history),
            lambda: rename_field(data, history),
        ]
    if properties["enableTypeWidening"] == "true":
        changes += [lambda: widen_column(data, history)] * 2
    data.draw(st.sampled_from(changes), "change")()


def add_column(data: st.DataObject, history: History) -> None:
    name, kind = f"n{next(history.names)}", data.draw(KINDS, "added")
    history.sql(f"alter table {history.table} add columns (`{name}` {type_sql(kind)})")
    history.columns[name] = kind


def nested_fields(history: History) -> list[tuple[str, dict[str, Kind]]]:
    """The path to each struct's fields, and the fields."""
    steps = {"array": ".element", "map": ".value"}
    found = []
    for name, outer in history.columns.items():
        path, kind = f"`{name}`", outer
        while not isinstance(kind, str) and kind[0] != "struct":
            path, kind = path + steps[kind[0]], kind[1]
        if not isinstance(kind, str):
            found.append((path, kind[1]))
    return found


def add_field(data: st.DataObject, history: History) -> None:
    found = nested_fields(history)
    if found:
        path, fields = data.draw(st.sampled_from(found), "struct")
        name, kind = f"f{next(history.names)}", data.draw(st.sampled_from([*SCALARS]), "field")
        history.sql(f"alter table {history.table} add columns ({path}.`{name}` {kind})")
        fields[name] = kind


def rename_field(data: st.DataObject, history: History) -> None:
    found = nested_fields(history)
    if found:
        path, fields = data.draw(st.sampled_from(found), "struct")
        old, new = data.draw(st.sampled_from([*fields]), "field"), f"r{next(history.names)}"
        history.sql(f"alter table {history.table} rename column {path}.`{old}` to `{new}`")
        renamed = {new if name == old else name: kind for name, kind in fields.items()}
        fields.clear()
        fields.update(renamed)


def rename_column(data: st.DataObject, history: History) -> None:
    old = data.draw(st.sampled_from([*history.columns]), "renamed")
    new = data.draw(st.sampled_from([f"r {next(history.names)};", f"c{next(history.names) + 20}"]))
    history.sql(f"alter table {history.table} rename column `{old}` to `{new}`")
    history.columns = {new if name == old else name: kind for name, kind in history.columns.items()}
    history.widened_floats |= {new} if old in history.widened_floats else set()


def drop_column(data: st.DataObject, history: History) -> None:
    if len(history.columns) > 1:
        name = data.draw(st.sampled_from([*history.columns]), "dropped")
        history.sql(f"alter table {history.table} drop column `{name}`")
        del history.columns[name]


def can_widen(kind: Kind) -> bool:
    return isinstance(kind, str) and kind in WIDER


def widen_column(data: st.DataObject, history: History) -> None:
    columns = [(f"`{name}`", history.columns, name) for name, kind in history.columns.items() if can_widen(kind)]
    columns += [
        (f"{path}.`{name}`", fields, name)
        for path, fields in nested_fields(history)
        for name, kind in fields.items()
        if can_widen(kind)
    ]
    if columns:
        path, holder, name = data.draw(st.sampled_from(columns), "widened")
        wider = data.draw(st.sampled_from(WIDER[str(holder[name])]), "to")
        history.sql(f"alter table {history.table} alter column {path} type {wider}")
        if holder is history.columns and holder[name] == "float":
            history.widened_floats.add(name)
        holder[name] = wider


def draw_filters(data: st.DataObject, history: History) -> list[Condition]:
    kinds = {"id": "id"} | {name: kind for name, kind in history.columns.items() if isinstance(kind, str)}
    usable = [(name, op, value) for name, kind in kinds.items() for op, value in FILTERS.get(kind, [])]
    usable += [("part", "is null", None)] if history.partition else []
    return [Condition(*data.draw(st.sampled_from(usable), "filter")) for _ in range(2)]


def check_history(data: st.DataObject, spark: SparkSession, folder: Path) -> None:
    """The newest version and an older one, whole and filtered, in splits of any size."""
    history, properties = draw_table(data, spark, folder)
    versions = []
    for _ in range(data.draw(st.integers(2, examples(4, slow=8)), "changes")):
        draw_change(data, history, properties)
        versions.append(spark.sql(f"describe history {history.table}").selectExpr("max(version)").collect()[0][0])
    target = data.draw(st.sampled_from([None, 2_000, 30_000]))
    assert_reads_as_spark(spark, pin(spark, folder), target=target)
    older = data.draw(st.sampled_from(versions), "older version")
    assert_reads_as_spark(spark, pin(spark, folder, version=older))
    for condition in draw_filters(data, history):
        snapshot = pin(spark, folder, condition, columns=["id", *list(history.columns)[:2]])
        if condition.column not in history.widened_floats:
            assert_reads_as_spark(spark, snapshot, target=target)
            assert plan_file_scan(spark, snapshot).rows is not None


@pytest.fixture(scope="module")
def session(spark: SparkSession) -> SparkSession:
    """Files of many row groups: of a hundred rows."""
    session = create_run_session(spark)
    session.conf.set("parquet.block.size", "1024")
    return session


NUMBERS = itertools.count()


@more_examples_in_slow
@settings(
    max_examples=examples(2, slow=25),
    derandomize=True,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_table_with_a_past_is_read_as_spark_reads_it(
    session: SparkSession, tmp_path: Path, data: st.DataObject
) -> None:
    check_history(data, session, tmp_path / str(next(NUMBERS)))
