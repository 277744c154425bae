"""Tables and sessions as people have them, against the plain ones: the section `reach`."""

from collections.abc import Iterator

from bench.comparisons import Case, Contender, Goal, Part
from bench.data import Shape
from bench.table_variants import MAPPED, PLAIN

_SCAN = {"transport": "scan", "residency": "worker", "runtime": "onnx"}
DELETED = tuple(f"deleted {percent} %" for percent in (1, 10, 50))
TABLES = tuple(
    Contender(f"ours scan onnx, {variant}", "ours", "stage", "onnx", {**_SCAN, "table": variant})
    for variant in (PLAIN, *DELETED, MAPPED)
)

LANDING = (
    Contender("ours, landing of Parquet", "ours", "land", "sklearn", _SCAN),
    Contender("spark, copy of Parquet to Delta", "spark", "copy", "sklearn"),
)


EXPORT = Contender("ours, export to PostgreSQL", "database", "export", "onnx")
JDBC = Contender("Spark's JDBC writer", "database", "jdbc", "onnx")


def reach_cases(rows: int, repeats: int) -> list[Case]:
    """What grows the reach: tables of Delta's features; sources that are not Delta; databases."""
    shape = Shape(max(1, rows // 4))
    return [
        Case("reach", "tables", TABLES, shape=shape, repeats=repeats),
        Case("reach", "landing", LANDING, shape=shape, repeats=repeats),
        Case("reach", "postgresql", (EXPORT, JDBC), shape=Shape(max(1, rows // 32)), repeats=repeats),
    ]


def _goals() -> Iterator[Goal]:
    plain, *others = TABLES
    for one in others:
        name = f"scan of a table {one.options['table']}, rows of its files, of the plain scan"
        yield Goal(name, "reach/tables", (Part(plain.name),), (Part(one.name),), 0.9)
    ours, copy = (Part(one.name) for one in LANDING)
    yield Goal("landing of Parquet, of Spark's own copy", "reach/landing", (ours,), (copy,), 1.2, sense="at most")

    yield Goal(
        "export to PostgreSQL, rows per second, of Spark's JDBC writer",
        "reach/postgresql",
        (Part(JDBC.name),),
        (Part(EXPORT.name),),
        2,
    )


REACH_GOALS = tuple(_goals())
