"""Settings of the truth: the table that holds it, and which prediction it belongs to."""

import re
from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic.config import JsonDict

from sparkscore.records import FilterOperator
from sparkscore.settings.frozen_settings import FrozenSettings

_DURATION = re.compile(r"(\d{1,6})([dh])")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1)}
_DURATION_EXTRA: JsonDict = {"expected": "whole days or hours, such as 7d or 12h"}
RUN_WINDOW = "run"
"""Each as_of is a window of its own."""
LabelMatch = Literal["key", "as_of", "before"]
PlainTruth = bool | int | float | str


class PositiveTruth(FrozenSettings):
    """Which truths are positive: those that a comparison holds for."""

    op: FilterOperator = "="
    value: PlainTruth | tuple[PlainTruth, ...]


def parse_duration(text: str) -> timedelta:
    """Whole days or hours: `7d`, `12h`.

    Raises:  ValueError for anything else, and for none.
    """
    found = _DURATION.fullmatch(text)
    if found is None or not int(found[1]):
        raise ValueError(f"{text!r} is no duration; expected whole days or hours, such as 7d or 12h")
    return int(found[1]) * _UNITS[found[2]]


class LabelSettings(FrozenSettings):
    """Where the truth is that predictions are held against, and which prediction it belongs to."""

    table: str | None = Field(
        default=None, description="table of the truth: catalog name, path, or plain name under the home folder"
    )
    truth: str | None = Field(default=None, description="column with the truth")
    keys: tuple[str, ...] | dict[str, str] = Field(
        default=(),
        description="columns that identify a row, as in the prediction table; {its key: the column here} where names"
        " differ; default: the job's keys",
    )
    time: str | None = Field(default=None, description="column with the time at which the truth happened (event time)")
    match: LabelMatch | None = Field(
        default=None,
        description="which predictions a truth is of: before (the newest as_of at or before its time), as_of (its time"
        " is an as_of), key (each as_of of its key); default: before where labels.time is set, else key",
    )
    known_at: str | None = Field(
        default=None, description="column with the time at which the truth became known; of several the newest counts"
    )
    version: Literal["latest"] | int = Field(default="latest", description="version of the table, or latest")
    positive: PlainTruth | PositiveTruth | None = Field(
        default=None,
        description="truth of the positive class, or a comparison: {op: '>=', value: 15}; default: 1 and true",
    )
    window: str = Field(
        default=RUN_WINDOW,
        description="time of as_of that one row of _performance covers: run (each as_of by itself), 1d, 7d, 12h",
        json_schema_extra={"expected": "run, or whole days or hours, such as 7d or 12h"},
    )
    delay: str | None = Field(
        default=None,
        description="how long after its end a window is judged: 7d; until then too few truths are known",
        json_schema_extra=_DURATION_EXTRA,
    )
    horizon: str | None = Field(
        default=None,
        description="how long a prediction is for: a truth that happens later belongs to none (match: before)",
        json_schema_extra=_DURATION_EXTRA,
    )

    @field_validator("delay", "horizon")
    @classmethod
    def _check_duration(cls, text: str | None) -> str | None:
        if text is not None:
            parse_duration(text)
        return text

    @field_validator("window")
    @classmethod
    def _check_window(cls, text: str) -> str:
        if text != RUN_WINDOW:
            parse_duration(text)
        return text

    @model_validator(mode="after")
    def _check_match(self) -> Self:
        if (self.table is None) != (self.truth is None):
            raise ValueError("labels.table and labels.truth belong together: name both, or neither")
        if self.match in ("as_of", "before") and self.time is None:
            raise ValueError(f"labels.match: {self.match} needs labels.time, the column with the time of the truth")
        if self.horizon is not None and self.matched_by != "before":
            raise ValueError("labels.horizon has no effect without labels.match: before")
        return self

    @property
    def matched_by(self) -> LabelMatch:
        """Which predictions a truth is of."""
        return self.match or ("key" if self.time is None else "before")

    @property
    def window_size(self) -> timedelta | None:
        """None: each as_of is a window of its own."""
        return None if self.window == RUN_WINDOW else parse_duration(self.window)

    @property
    def judged_after(self) -> timedelta:
        """How long after its end a window is judged."""
        return timedelta(0) if self.delay is None else parse_duration(self.delay)

    @property
    def valid_for(self) -> timedelta | None:
        """How long a prediction is for; None: until the next one of its key."""
        return None if self.horizon is None else parse_duration(self.horizon)

    def key_columns(self, keys: tuple[str, ...]) -> dict[str, str]:
        """The column of the truth for each key of the prediction table.

        Raises:  ValueError where it names other keys.
        """
        named = dict(zip(self.keys, self.keys, strict=True)) if isinstance(self.keys, tuple) else self.keys
        columns = named or {key: key for key in keys}
        if set(columns) != set(keys):
            raise ValueError(
                f"labels.keys names {', '.join(columns)}; the keys of the prediction table are {', '.join(keys)}"
                " (where names differ, write labels.keys: {key of the predictions: column of the truth})"
            )
        return {key: columns[key] for key in keys}
