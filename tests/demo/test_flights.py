"""The flights as they come out of the package's files."""

from typing import Literal

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest

from sparkscore.demo import contracts, flights
from sparkscore.demo.flights import FlightTables, arrow_table, with_features
from sparkscore.errors import ConfigError
from sparkscore.schemas import TableContract

HOUR = "2013-01-01T10:00:00Z"


def flight(origin: str, time_hour: str = HOUR) -> dict[str, object]:
    return {"year": 2013, "month": 1, "day": 1, "origin": origin, "time_hour": time_hour}


def observation(origin: str, temp: float) -> dict[str, object]:
    names = [column.name for column in contracts.OBSERVATIONS]
    return {"origin": origin, "time_hour": pd.Timestamp(HOUR)} | dict.fromkeys(names, temp)


def test_the_key_is_the_row_number_of_every_flight_of_2013(frames: FlightTables) -> None:
    assert frames.flights["flight_id"].tolist() == list(range(1, 336_777))
    first = frames.flights.iloc[0]
    assert (first["carrier"], first["flight"], first["dest"], first["arr_delay"]) == ("UA", 1545, "IAH", 11)


@pytest.mark.parametrize(
    ("name", "contract", "rows"),
    [
        ("flights", contracts.FLIGHTS, 336_776),
        ("weather", contracts.WEATHER, 26_115),
        ("planes", contracts.PLANES, 3_322),
    ],
)
def test_each_frame_fits_its_contract(
    frames: FlightTables, name: Literal["flights", "weather", "planes"], contract: TableContract, rows: int
) -> None:
    table = arrow_table(getattr(frames, name), contract)
    assert table.schema.equals(contract.schema)
    assert table.num_rows == rows


def test_missing_values_are_null_and_never_nan(frames: FlightTables) -> None:
    table = arrow_table(frames.flights.head(2000), contracts.FLIGHTS)
    assert table["dep_time"].null_count == int(frames.flights["dep_time"].head(2000).isna().sum()) > 0
    assert table["pressure"].null_count > 0
    assert not pc.any(pc.is_nan(table["pressure"])).as_py()


def test_time_hour_is_the_scheduled_hour_in_utc(frames: FlightTables) -> None:
    local = frames.flights["time_hour"].dt.tz_convert("America/New_York")
    assert np.array_equal(local.dt.hour.to_numpy(), frames.flights["hour"].to_numpy(dtype="int64"))
    assert np.array_equal(local.dt.dayofweek.to_numpy() + 1, frames.flights["day_of_week"].to_numpy())


def test_weather_is_that_of_the_origin_in_the_scheduled_hour() -> None:
    departures = pd.DataFrame([flight("JFK"), flight("LGA"), flight("EWR"), flight("JFK", "2013-01-01T11:00:00Z")])
    seen = with_features(departures, pd.DataFrame([observation("EWR", 40.0), observation("JFK", 50.0)]))
    assert seen["temp"].fillna(-1.0).tolist() == [50.0, -1.0, 40.0, -1.0]
    assert seen["flight_id"].tolist() == [1, 2, 3, 4]


def test_two_observations_of_one_hour_are_refused() -> None:
    twice = pd.DataFrame([observation("JFK", 40.0), observation("JFK", 50.0)])
    with pytest.raises(pd.errors.MergeError):
        with_features(pd.DataFrame([flight("JFK")]), twice)


def test_the_callers_frames_stay_as_they_were() -> None:
    departures, weather = pd.DataFrame([flight("JFK")]), pd.DataFrame([observation("JFK", 40.0)])
    before = departures.copy(), weather.copy()
    with_features(departures, weather)
    pd.testing.assert_frame_equal(departures, before[0])
    pd.testing.assert_frame_equal(weather, before[1])


def test_an_absent_package_is_named_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'sparkscore\[demo\]'"):
        flights.load_tables()
