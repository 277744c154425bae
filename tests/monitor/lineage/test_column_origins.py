"""Where columns of a prediction table come from."""

from dataclasses import replace

import pyarrow as pa

from sparkscore.monitor.lineage.column_origins import TracedRun, trace_columns, trace_filters
from sparkscore.records import (
    ApplyThreshold,
    ArithmeticExpression,
    AssignBin,
    ColumnOrigin,
    CopyValue,
    DatasetName,
    DerivedColumn,
    LookUp,
    LookupExpression,
    SourceColumn,
)

SOURCE, FARES, NAMES = (DatasetName("file", f"/lake/{name}") for name in ("flights", "fares", "names"))
FARE = LookupExpression("fares", (("code", SourceColumn("carrier")),), "fare")
RUN = TracedRun(
    SOURCE,
    {"id": "id", "carrier": "airline"},
    [("distance", "miles"), ("cost", ArithmeticExpression("multiply", (SourceColumn("miles"), FARE)))],
    "late version 3",
    0.5,
    [(FARE, FARES)],
    filter_columns=["month", "month"],
)


def kinds(origins: tuple[ColumnOrigin, ...]) -> set[tuple[str, str, str]]:
    return {(one.dataset.name.rpartition("/")[2], one.field, one.kind) for one in origins}


def derived(name: str, of: str, operation: object, **more: object) -> DerivedColumn:
    return DerivedColumn(name, pa.string(), of, pa.float64(), operation, **more)  # type: ignore[arg-type]


PREDICTION = {
    ("flights", "miles", "TRANSFORMATION"),
    ("fares", "fare", "TRANSFORMATION"),
    ("fares", "code", "JOIN"),
    ("flights", "carrier", "JOIN"),
}


def test_keys_and_passed_columns_are_copies_also_under_another_name() -> None:
    found = trace_columns(RUN)
    assert kinds(found["id"]) == {("flights", "id", "IDENTITY")}
    assert kinds(found["airline"]) == {("flights", "carrier", "IDENTITY")}


def test_a_prediction_comes_from_what_the_model_reads_and_what_finds_it() -> None:
    found = trace_columns(RUN)
    assert kinds(found["prediction"]) == PREDICTION
    told = {one.field: one.description for one in found["prediction"]}
    assert told["miles"] == "distance, cost of late version 3"


def test_a_label_comes_from_where_the_prediction_does() -> None:
    assert kinds(trace_columns(RUN)["label"]) == PREDICTION
    assert "label" not in trace_columns(replace(RUN, threshold=None))


def test_computed_columns_come_from_what_they_are_computed_from() -> None:
    columns = [
        derived("copy", "airline", CopyValue()),
        derived("clipped", "airline", CopyValue(), most=1.0),
        derived("risk", "prediction", AssignBin((0.5,), ("low", "high"))),
        derived("late", "prediction", ApplyThreshold(0.5, "airline", ("AA",), (0.4,))),
        derived("name", "airline", LookUp(("airline",), ("AA",), ("American",))),
        derived("name_again", "name", CopyValue()),
    ]
    found = trace_columns(replace(RUN, derived=columns, output_lookups={"name": (NAMES, "name", ("code",))}))
    assert kinds(found["copy"]) == {("flights", "carrier", "IDENTITY")}
    assert kinds(found["clipped"]) == {("flights", "carrier", "TRANSFORMATION")}
    assert kinds(found["risk"]) == PREDICTION
    assert kinds(found["late"]) == PREDICTION | {("flights", "carrier", "CONDITIONAL")}
    assert kinds(found["name"]) == {
        ("names", "name", "IDENTITY"),
        ("names", "code", "JOIN"),
        ("flights", "carrier", "JOIN"),
    }
    assert found["name_again"] == found["name"]


def test_filters_decide_about_all_rows() -> None:
    assert kinds(trace_filters(RUN)) == {("flights", "month", "FILTER")}


def test_features_come_from_their_tables_and_what_finds_them_decides_about_rows() -> None:
    weather = DatasetName("file", "/lake/weather")
    run = replace(
        RUN,
        inputs=[("wind", "wx_wind")],
        carried={"wx_wind": "wind"},
        lookups=(),
        joined={"wx_wind": (weather, "wind")},
        join_keys=[(weather, "airport"), (weather, "measured_at")],
    )
    assert kinds(trace_columns(run)["prediction"]) == {("weather", "wind", "TRANSFORMATION")}
    assert kinds(trace_columns(run)["wind"]) == {("weather", "wind", "IDENTITY")}
    assert ("weather", "airport", "JOIN") in kinds(trace_filters(run))
