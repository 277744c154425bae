"""The example of forecasts: departures per day in December 2013, of each origin and carrier, from the months before.

  python -m sparkscore.demo.flight_forecasts --home .sparkscore

writes the table `departures` (a row per series: its departures per day until November 30) and registers the model
`departures`, one model for all series.
"""

import sys
from collections.abc import Sequence
from functools import partial

import pandas as pd
import pyarrow as pa

from sparkscore.demo.example_jobs import parse_home, write_example_job
from sparkscore.demo.flights import load_tables

TABLE, MODEL = "departures", "departures"
HORIZON, SEASON = 31, 7
_LEAST_PER_DAY = 10


def count_departures(flights: pd.DataFrame) -> pd.DataFrame:
    """Departures per day (rows, all of 2013) of each series with at least 10 a day (columns, `JFK/B6`).

    Needs:   flights: origin, carrier, year, month, day.
    """
    series = flights["origin"] + "/" + flights["carrier"]
    day = pd.to_datetime(flights[["year", "month", "day"]].astype("int64"))
    counts = flights.groupby([day.rename("day"), series.rename("series")]).size().unstack(fill_value=0)
    return counts.loc[:, counts.mean() >= _LEAST_PER_DAY].astype(float)


def write_forecast_example(arguments: Sequence[str]) -> None:
    """Write the table and register the model, below the home folder."""
    from sparkscore.workloads.forecasts.forecast_saving import log_forecaster

    home = parse_home(arguments, __doc__)
    known = count_departures(load_tables().flights).iloc[:-HORIZON]
    histories = {str(name): column.tolist() for name, column in known.items()}
    rows = {"series": list(histories), "history": pa.array(list(histories.values()), pa.list_(pa.float64()))}
    log = partial(log_forecaster, "model", histories, registered_model_name=MODEL, horizon=HORIZON, season=SEASON)
    write_example_job(home, TABLE, pa.table(rows), MODEL, log)


if __name__ == "__main__":
    write_forecast_example(sys.argv[1:])
