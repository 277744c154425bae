"""Which runs are compared: those of some as_ofs whose publication has rows of the challenger beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sparkscore.errors import ConfigError
from sparkscore.lifecycle import list_publications
from sparkscore.pipelines.shared.job_events import JobEvents
from sparkscore.records import ModelCost, Pins, ReportedModel, RunEvent, parse_as_of, to_utc_text
from sparkscore.store.table import Table

_NEWEST = 50
"""Without --as-of and --from a run with challengers is looked for among so many newest as_ofs."""


@dataclass(frozen=True, slots=True)
class ComparedPeriod:
    """The as_ofs that are compared; without one and without ends it is the newest that has a challenger."""

    as_of: datetime | None = None
    first: datetime | None = None
    last: datetime | None = None

    @classmethod
    def of(cls, as_of: str | None, first: str | None, last: str | None) -> "ComparedPeriod":
        """The period that is named.

        Raises:  ConfigError.
        """
        if as_of is not None and (first is not None or last is not None):
            raise ConfigError("--as-of with --from or --to", "one as_of, or a period", "leave one of them out")
        return cls(*(None if one is None else parse_as_of(one) for one in (as_of, first, last)))

    @property
    def is_newest(self) -> bool:
        """Whether nothing is named."""
        return self == ComparedPeriod()

    def contains(self, moment: datetime) -> bool:
        """Whether an as_of is named."""
        if self.as_of is not None:
            return moment == self.as_of
        return (self.first is None or self.first <= moment) and (self.last is None or moment <= self.last)


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A publication, and what a challenger has published beside it."""

    publication: RunEvent
    challenger: Mapping[str, Any]
    """`ReportedChallenger` as the event has it."""

    @property
    def pins(self) -> Pins:
        """Those of the champion."""
        assert self.publication.pins is not None  # noqa: S101  runs without are left out
        return self.publication.pins

    @property
    def challenger_version(self) -> tuple[str, str]:
        """Name and version of the challenger."""
        model = self.challenger["model"]
        return model["name"], model["version"]


@dataclass(frozen=True, slots=True)
class ComparedRuns:
    """The runs of one champion and one challenger, oldest first: one at least."""

    runs: tuple[ComparedRun, ...]
    warnings: tuple[str, ...] = ()

    @property
    def as_ofs(self) -> tuple[datetime, ...]:
        """Their logical times."""
        return tuple(run.publication.as_of for run in self.runs)

    @property
    def champion(self) -> ReportedModel:
        """The champion."""
        last = self.runs[-1]
        return ReportedModel(
            last.pins.model_name, last.pins.model_version, last.publication.model_id or "", last.pins.model_digest
        )

    @property
    def challenger(self) -> ReportedModel:
        """The challenger."""
        return ReportedModel(**self.runs[-1].challenger["model"])

    def measure_costs(self) -> tuple[dict[str, ModelCost], float | None]:
        """What both took, and the ratio: over the passes that both were in."""
        passes = [run for run in self.runs if run.challenger.get("champion_seconds") is not None]
        rows = {
            "champion": sum(run.publication.rows_scored or 0 for run in passes),
            "challenger": sum(run.challenger.get("rows") or 0 for run in passes),
        }
        seconds = {
            "champion": sum(run.challenger["champion_seconds"] for run in passes),
            "challenger": sum(run.challenger.get("seconds") or 0.0 for run in passes),
        }
        loads = {
            "champion": sum(run.publication.parsed_details.get("model_loads") or 0 for run in self.runs),
            "challenger": sum(run.challenger.get("loads") or 0 for run in self.runs),
        }
        sizes = {"champion": None, "challenger": self.runs[-1].challenger.get("model_bytes")}
        costs = {
            side: ModelCost(
                round(seconds[side], 3) if passes else None,
                round(rows[side] / seconds[side]) if passes and seconds[side] else None,
                loads[side],
                sizes[side],
            )
            for side in ("champion", "challenger")
        }
        ratio = seconds["challenger"] / seconds["champion"] if passes and seconds["champion"] else None
        return costs, ratio


def find_compared_runs(runs_table: Table, *, job: str, period: ComparedPeriod, wanted: str | None) -> ComparedRuns:
    """The runs of a period, by their events. `wanted`: the challenger's version, or its URI in the config.

    Jobs:    none; small ones where only Spark reaches the run events.
    Raises:  ConfigError where there is none, or where several challengers could be meant.
    """
    events = JobEvents.open(runs_table, job=job)
    as_ofs = [one for one in events.index.as_ofs if period.contains(one)]
    as_ofs = as_ofs[-_NEWEST:] if period.is_newest else as_ofs
    found = _pair_challengers(events.load_as_ofs(as_ofs))
    matching = [run for run in found if wanted is None or _is_wanted(run, wanted)]
    if period.is_newest and matching:
        matching = [run for run in matching if run.publication.as_of == matching[-1].publication.as_of]
    _require_one_challenger(found, matching, wanted)
    champion = matching[-1].pins
    same = [run for run in matching if _is_same_champion(run.pins, champion)]
    left_out = len(matching) - len(same)
    warnings = (
        (f"{left_out} as_ofs of other champions than version {champion.model_version} are left out",)
        if left_out
        else ()
    )
    return ComparedRuns(tuple(same), warnings)


def _is_same_champion(one: Pins, other: Pins) -> bool:
    return (one.model_name, one.model_version) == (other.model_name, other.model_version)


def _pair_challengers(events: Sequence[RunEvent]) -> list[ComparedRun]:
    """Each current publication with each challenger that is published beside it, oldest as_of first."""
    found: list[ComparedRun] = []
    for as_of in sorted({event.as_of for event in events}):
        own = [event for event in events if event.as_of == as_of]
        publications = list_publications(own)
        if not publications or publications[-1].pins is None:
            continue
        current = publications[-1]
        beside = [event for event in own if event.event == "challenged" and event.run_id == current.run_id]
        last = {event.parsed_details["challenger_key"]: event.parsed_details["challenger"] for event in beside}
        found += [ComparedRun(current, one) for one in last.values() if one["status"] == "published"]
    return found


def _is_wanted(run: ComparedRun, wanted: str) -> bool:
    name, version = run.challenger_version
    return wanted in (version, f"{name}/{version}", run.challenger["uri"])


def _require_one_challenger(found: Sequence[ComparedRun], matching: Sequence[ComparedRun], wanted: str | None) -> None:
    names = sorted({"/".join(run.challenger_version) for run in found})
    if not matching:
        raise ConfigError(
            f"no run has a challenger {wanted}" if wanted else "no run of the period has a challenger beside it",
            f"one of {', '.join(names)}" if names else "a published run with `challengers` in its config",
            "run `score` with it, or name another as_of",
        )
    meant = sorted({"/".join(run.challenger_version) for run in matching})
    if len(meant) > 1:
        raise ConfigError(
            f"several challengers: {', '.join(meant)}", "one of them", "name it with --challenger VERSION"
        )


def list_as_of_texts(runs: ComparedRuns) -> tuple[str, ...]:
    """The as_ofs as the result line has them."""
    return tuple(map(to_utc_text, runs.as_ofs))
