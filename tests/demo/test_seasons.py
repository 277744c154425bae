"""Drift on the real flights: winter is not summer, a storm is not a calm week, and what flies stays the same."""

from collections.abc import Iterable

import pandas as pd
import pyarrow as pa

from sparkscore.demo.flights import FlightTables
from sparkscore.demo.recipe import flight_inputs
from sparkscore.demo.registry import Candidate
from sparkscore.monitor.column_profiles import build_profiles
from sparkscore.monitor.column_summary import ColumnSummary, summarise_column
from sparkscore.monitor.drift_detection import measure_drifts
from sparkscore.monitor.summary_rows import SUMMARY_SIZE
from sparkscore.records import ColumnProfile, Drift
from sparkscore.settings import DriftSettings


def profiled(frame: pd.DataFrame, *, segment: str | None = None) -> tuple[ColumnProfile, ...]:
    """The profiles of all columns, and of them by the values of one."""
    found: dict[tuple[str, tuple[str | None, str | None]], ColumnSummary] = {}
    for column in frame.columns:
        found[column, (None, None)] = summarise_column(pa.array(frame[column], from_pandas=True), size=SUMMARY_SIZE)
        for value, rows in frame.groupby(segment) if segment and column != segment else ():
            found[column, (segment, str(value))] = summarise_column(
                pa.array(rows[column], from_pandas=True), size=SUMMARY_SIZE
            )
    return build_profiles(found, log_type="input", types={})


def compared(now: pd.DataFrame, before: pd.DataFrame, *, segment: str | None = None) -> tuple[Drift, ...]:
    sides = (profiled(now, segment=segment), profiled(before, segment=segment))
    return measure_drifts(*sides, drift_type="CONSECUTIVE", against="before", limits=DriftSettings())


def months(frames: FlightTables, wanted: Iterable[int]) -> pd.DataFrame:
    return flight_inputs(frames.flights[frames.flights["month"].isin(list(wanted))])


def test_winter_is_not_summer(frames: FlightTables) -> None:
    found = {one.column: one for one in compared(months(frames, (12, 1, 2)), months(frames, (6, 7, 8)))}
    assert {name for name, one in found.items() if one.drifted} == {"temp", "dewp", "pressure"}
    assert (found["temp"].psi or 0) > 2
    assert (found["distance"].psi or 1) < 0.05


def test_what_is_no_weather_stays_as_it_was(frames: FlightTables) -> None:
    found = compared(months(frames, (12, 1, 2)), months(frames, (6, 7, 8)))
    still = {one.column for one in found if not one.drifted}
    assert {"carrier", "origin", "dest", "hour", "distance", "day_of_week"} <= still


def test_a_storm_day_is_seen_in_the_predictions(frames: FlightTables, candidate: Candidate) -> None:
    def predicted(day: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"prediction": candidate.model.predict_proba(flight_inputs(day))[:, 1]})

    october = frames.flights[frames.flights["month"] == 10]
    calm = october[october["day"].between(1, 4)]
    storm = predicted(october[october["day"] == 7])  # thunderstorms along the coast
    found = compared(storm, predicted(calm))
    assert [(one.column, one.drifted) for one in found] == [("prediction", True)]
    assert storm["prediction"].mean() > 1.5 * predicted(calm)["prediction"].mean()


def test_weather_tells_segments_apart(frames: FlightTables, candidate: Candidate) -> None:
    def told(wanted: Iterable[int]) -> pd.DataFrame:
        flights = frames.flights[frames.flights["month"].isin(list(wanted))]
        features = flight_inputs(flights)
        fog = (features["visib"] < 5).map({True: "fog", False: "clear"})
        return features[["temp"]].assign(sight=fog, prediction=candidate.model.predict_proba(features)[:, 1])

    found = compared(told((12, 1, 2)), told((6, 7, 8)), segment="sight")
    slices = {(one.column, one.slice_value) for one in found if one.drifted and one.slice_key == "sight"}
    assert {("temp", "fog"), ("temp", "clear")} <= slices
