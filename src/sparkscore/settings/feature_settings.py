"""Settings of the features that are joined to the rows: from which table, by which keys, as of which time."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from sparkscore.records import ROW_FLAGS_COLUMN, FeatureJoin
from sparkscore.settings.expression_checks import require_time_zone
from sparkscore.settings.frozen_settings import FrozenSettings

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TTL = re.compile(r"([1-9][0-9]{0,8})([smhdw])")


def _name_columns(columns: Any) -> Any:
    """A list of columns as a mapping of each to itself."""
    if isinstance(columns, list | tuple):
        repeated = sorted({str(name) for name in columns if columns.count(name) > 1})
        if repeated:
            raise ValueError(f"named twice: {', '.join(repeated)}")
        return {name: name for name in columns}
    return columns


_NamedColumns = Annotated[
    dict[str, str],
    BeforeValidator(_name_columns, json_schema_input_type=list[str] | dict[str, str]),
    Field(min_length=1),
]


def _check_time_zone(zone: str) -> str:
    require_time_zone(zone, "")
    return zone


TimeZoneName = Annotated[str, AfterValidator(_check_time_zone)]
"""A region of the time zone database."""


class FeatureTableSettings(FrozenSettings):
    """A Delta table with values over time, of which each row gets the last one that was known at the row's time."""

    table: str = Field(description="the feature table, a Delta table, named as in source.table")
    keys: _NamedColumns = Field(
        description="which values belong to a row: {column of the rows: column of the feature table}, or a list of"
        " columns that both have"
    )
    time: str = Field(description="column with the event time: from when on a value holds")
    known_at: str | None = Field(
        default=None, description="column with the time at which a value was written: no earlier row gets it"
    )
    ttl: str | None = Field(
        default=None,
        description="time to live: the age from which a value no longer counts: 90m, 12h, 30d, 2w; default: none",
    )
    timezone: TimeZoneName | None = Field(
        default=None,
        description="time zone of time and known_at if they are of the type timestamp_ntz or date: America/New_York;"
        " default: UTC for dates, and a timestamp_ntz is refused",
    )
    columns: _NamedColumns = Field(
        description="what the rows get: a list of columns, or {new name: column of the feature table}"
    )
    prefix: str | None = Field(default=None, description="put before each name that the rows get")
    version: Annotated[int, Field(ge=0)] | Literal["latest", "as_of"] = Field(
        default="latest", description="Delta version: latest, an integer, or as_of (the newest version at that time)"
    )

    @field_validator("keys", "columns")
    @classmethod
    def _refuse_empty_names(cls, columns: dict[str, str]) -> dict[str, str]:
        if not all(name.strip() for one in columns.items() for name in one):
            raise ValueError("an empty name of a column")
        return columns

    @field_validator("ttl")
    @classmethod
    def _check_ttl(cls, ttl: str | None) -> str | None:
        if ttl is not None and not _TTL.fullmatch(ttl):
            raise ValueError(
                "expected a whole number and a unit, s, m, h, d or w (seconds, minutes, hours, days, weeks): 12h, 30d"
            )
        return ttl

    @model_validator(mode="after")
    def _refuse_one_time_for_both(self) -> "FeatureTableSettings":
        if self.known_at == self.time:
            raise ValueError("known_at names the column of time; leave it out where a value is known when it holds")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that the rows get."""
        return tuple(f"{self.prefix or ''}{name}" for name in self.columns)

    def to_join(self) -> FeatureJoin:
        """The record that `ingest` reads."""
        found = _TTL.fullmatch(self.ttl or "")
        return FeatureJoin(
            self.table,
            tuple(self.keys.items()),
            self.time,
            tuple(zip(self.names, self.columns.values(), strict=True)),
            self.known_at,
            None if found is None else int(found[1]) * _UNIT_SECONDS[found[2]] * 1_000_000,
            self.timezone,
        )

    def to_digest_part(self) -> dict[str, Any]:
        """What decides on a value, but for the version, which is pinned beside the settings."""
        return {name: value for name, value in self.model_dump().items() if name != "version" and value is not None}


def find_feature_problems(
    features: Sequence[FeatureTableSettings], event_time: str | None, event_timezone: str | None
) -> list[str]:
    """What is wrong with the features of a source as far as the settings tell."""
    problems = []
    names = [name.lower() for one in features for name in one.names]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        problems.append(
            f"source.features gives the rows two columns of one name (whatever the case): {', '.join(repeated)};"
            " give one of them another name, or a prefix"
        )
    if ROW_FLAGS_COLUMN in names:
        problems.append(f"{ROW_FLAGS_COLUMN} is a name of the suite's own")
    if event_time is not None and not features:
        problems.append("source.event_time is the time as of which source.features are joined, and there are none")
    if event_timezone is not None and event_time is None:
        problems.append("source.event_timezone is the time zone of source.event_time, which is not set")
    return problems


def describe_features(
    features: Sequence[FeatureTableSettings], event_time: str | None, event_timezone: str | None
) -> dict[str, Any] | None:
    """What of the features decides on rows and values, versions of tables apart; None where there are none."""
    if not features:
        return None
    times = {"event_time": event_time, "event_timezone": event_timezone}
    tables = [one.to_digest_part() for one in features]
    return {"tables": tables, **{name: value for name, value in times.items() if value is not None}}
