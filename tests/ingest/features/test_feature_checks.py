"""Which feature tables can be joined: what is refused before a row is read."""

from dataclasses import replace

import pyarrow as pa
import pytest

from sparkscore.errors import ConfigError
from sparkscore.ingest.features.feature_checks import extend_with_features
from sparkscore.records import FeatureJoin, RowTimes

UTC_TIME, LOCAL_TIME = pa.timestamp("us", "UTC"), pa.timestamp("us")
ROWS = pa.schema(
    [("id", pa.int64()), ("origin", pa.string()), ("size", pa.int32()), ("at", UTC_TIME), ("x1", pa.int8())]
)
WEATHER = pa.schema(
    {
        "airport": pa.string(),
        "hour": UTC_TIME,
        "wall": LOCAL_TIME,
        "day": pa.date32(),
        "x1": pa.float64(),
        "size": pa.int64(),
        "temp": pa.float32(),
    }
)
JOIN = FeatureJoin("weather", (("origin", "airport"),), "hour", (("temp", "temp"),))
BY_ROW = RowTimes("at")


def test_the_rows_get_the_columns_that_are_named_in_the_types_of_the_feature_table() -> None:
    join = replace(JOIN, keys=(("origin", "airport"), ("size", "size")), columns=(("w1", "x1"), ("w2", "temp")))
    extended = extend_with_features(ROWS, [(join, WEATHER)], BY_ROW, rows="flights")
    assert extended.names == [*ROWS.names, "w1", "w2"]
    assert (extended.field("w1").type, extended.field("w2").type) == (pa.float64(), pa.float32())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": (("t", "temperatur"),)}, r"weather has no column temperatur.*which source.features names"),
        ({"known_at": "written"}, "weather has no column written"),
        ({"keys": (("airport", "airport"),)}, "flights has no column airport"),
        (
            {"keys": (("id", "airport"),)},
            r"id of flights is of the type int64, and airport of the feature table weather",
        ),
        ({"keys": (("x1", "x1"),)}, "x1 of flights is of the type int8, and x1 .* of double"),
        ({"time": "airport"}, "time airport of the feature table weather is of the type string"),
        ({"time": "wall"}, "wall .* is of the type timestamp_ntz, whose times name no instants"),
        ({"timezone": "America/New_York"}, "of the type timestamp, which names instants"),
        ({"columns": (("X1", "x1"),)}, "columns that flights has already: X1"),
    ],
)
def test_what_cannot_be_joined_is_refused(changes: dict[str, object], words: str) -> None:
    join = replace(JOIN, **changes)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=words):
        extend_with_features(ROWS, [(join, WEATHER)], BY_ROW, rows="flights")


@pytest.mark.parametrize(("column", "words"), [("seen", "no column seen"), ("origin", "event_time origin of flights")])
def test_a_column_of_event_times_has_times(column: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        extend_with_features(ROWS, [(JOIN, WEATHER)], RowTimes(column), rows="flights")


def test_times_without_a_zone_pass_where_their_zone_is_known() -> None:
    for time, zone in (("day", None), ("day", "America/New_York"), ("wall", "America/New_York")):
        join = replace(JOIN, time=time, timezone=zone)
        assert extend_with_features(ROWS, [(join, WEATHER)], BY_ROW, rows="flights").names[-1] == "temp"
    both = replace(JOIN, time="wall", known_at="hour", timezone="America/New_York")
    assert extend_with_features(ROWS, [(both, WEATHER)], BY_ROW, rows="flights").names[-1] == "temp"
