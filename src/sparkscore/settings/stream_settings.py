"""Settings of `stream`: how often a micro-batch begins, what is in one, and what ends the stream."""

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator

from sparkscore.settings.frozen_settings import RELATIVE_PATH_NOTE, FrozenSettings

AVAILABLE_NOW = "availableNow"
"""The trigger that takes what is there when the stream starts, in as many micro-batches as that needs, and ends."""
MONITORED_PERIOD = 100
"""Every how many micro-batches one is monitored of a stream that does not end by itself."""
_INTERVAL = re.compile(r"(\d{1,6}) ?(milliseconds?|seconds?|minutes?|hours?)")
_BYTES = re.compile(r"\d{1,18} ?[bkmgtBKMGT]?")


class StreamSettings(FrozenSettings):
    """How `stream` reads the source, batch by batch. No part of a run's identity."""

    trigger: str = Field(
        default=AVAILABLE_NOW,
        description='availableNow (what is there now, then end), or how often a micro-batch begins: "10 seconds"',
    )
    checkpoint: str | None = Field(
        default=None,
        description=f"folder of the stream's checkpoint; default: <home>/checkpoints/<job>; {RELATIVE_PATH_NOTE}",
        json_schema_extra={"path": True},
    )
    max_files_per_trigger: int | None = Field(
        default=None, ge=1, description="new files of a Delta source in one micro-batch; default: Delta's, 1,000"
    )
    max_bytes_per_trigger: Annotated[int, Field(ge=1)] | str | None = Field(
        default=None, description='bytes of a Delta source in one micro-batch, about: "1g"; default: no limit'
    )
    starting_version: Annotated[int, Field(ge=0)] | Literal["latest"] | None = Field(
        default=None,
        description="the first version of a Delta source whose new rows are scored, or latest (what comes from now"
        " on); default: all rows that it has; only a new checkpoint asks for it",
    )
    on_update: Literal["fail", "ignore", "changes"] = Field(
        default="fail",
        description="updates and deletes of rows in a Delta source: fail (exit 2), ignore (such commits are skipped),"
        " or changes (its change data feed says which rows are new or updated; deleted keys keep their predictions)",
    )
    newest_by: str | None = Field(
        default=None,
        description="of rows with one key in one micro-batch, the one with the greatest value of this column is"
        " scored; default: such rows fail the batch",
    )
    on_gate_failure: Literal["stop", "quarantine"] = Field(
        default="stop",
        description="a micro-batch that a gate refuses: stop (exit 3; the next start tries it again), or quarantine"
        " (nothing of it is published, and the stream goes on)",
    )
    monitor_every: int | None = Field(
        default=None,
        ge=1,
        description="every how many micro-batches profile, drift, SLA, report and MLflow run are made, of that batch;"
        f" default: 100, or with {AVAILABLE_NOW} of the last one alone",
    )
    registry_outage_minutes: float = Field(
        default=60.0,
        ge=0,
        description="how long micro-batches go on with the last model while the registry does not answer; then 75",
    )

    @field_validator("trigger")
    @classmethod
    def _check_trigger(cls, trigger: str) -> str:
        if trigger != AVAILABLE_NOW and not _INTERVAL.fullmatch(trigger):
            raise ValueError(f'{AVAILABLE_NOW}, or a number and seconds, minutes or hours: "10 seconds"')
        return trigger

    @field_validator("max_bytes_per_trigger")
    @classmethod
    def _check_bytes(cls, size: int | str | None) -> int | str | None:
        if isinstance(size, str) and not _BYTES.fullmatch(size):
            raise ValueError('a number of bytes, perhaps with k, m, g or t behind it: "512m"')
        return size

    @property
    def monitored_period(self) -> int | None:
        """Every how many micro-batches one is monitored; None: the last one alone."""
        return self.monitor_every or (None if self.interval is None else MONITORED_PERIOD)

    @property
    def interval(self) -> timedelta | None:
        """How often a micro-batch begins; None where the stream ends by itself."""
        found = _INTERVAL.fullmatch(self.trigger)
        if found is None:
            return None
        unit = found[2] if found[2].endswith("s") else f"{found[2]}s"
        return timedelta(**{unit: int(found[1])})
