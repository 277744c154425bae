"""The challengers of a champion's pass, as the driver sees them: their stages, their time, and who is given up."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sparkscore.errors import BatchTimeout, SparkscoreError
from sparkscore.expressions.arrow_evaluator import ArrowDerivation
from sparkscore.expressions.derived_inputs import bind_zone_offsets
from sparkscore.pipelines.scoring.run_limits import RunLimits
from sparkscore.pipelines.scoring.transport_choice import prepare_stage_rows
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_challengers import Challenger, describe_challenger_error
from sparkscore.records import ChallengerPart, FileScan, ScoredPart, TableLocation
from sparkscore.scoring.challengers_of_part import PassChallenger
from sparkscore.scoring.stage_rows import StageRowScorer
from sparkscore.spark.session_kind import count_task_slots
from sparkscore.stage.chunk_committer import ChunkCommitter
from sparkscore.store.file_commit import create_write_folder

_FREE_S = 10.0
"""Seconds before a challenger's share of the time counts: of a short run it says nothing."""


@dataclass
class _StagedChallenger:
    challenger: Challenger
    rows: StageRowScorer
    location: TableLocation
    chunks: ChunkCommitter
    slots: int

    @property
    def seconds_left(self) -> float:
        """What is left of its timeout, if all slots go on at once."""
        return max(self.challenger.settings.timeout - (self.challenger.seconds or 0.0) / self.slots, 0.0)

    def add_part(self, part: ScoredPart, found: ChallengerPart, *, every_s: float) -> None:
        """Add what a task has reported of a part.

        Raises:  what the task has raised; as `ChunkCommitter.add`.
        """
        if found.counts is not None:
            self.challenger.counters.add_travelled(found.counts)
        if found.error is not None:
            raise SparkscoreError.from_dict(found.error)
        own = replace(part, files=found.files, seconds=found.seconds, challengers=())
        self.chunks.add([own], every_s=every_s)

    def check_limits(self) -> None:
        """Refuse to go on with a challenger that takes too long, or rejects too much.

        Raises:  BatchTimeout, TooManyRejects.
        """
        one, spent_s = self.challenger, self.challenger.seconds or 0.0
        if self.seconds_left <= 0:
            raise _slow_error(f"it took {spent_s:.0f} s of all tasks", f"timeout, {one.settings.timeout:g} s")
        allowed_s = None if one.settings.budget is None else one.settings.budget * (one.champion_seconds or 0.0)
        if allowed_s is not None and spent_s > max(allowed_s, _FREE_S):
            found = f"it took {spent_s:.0f} s, and the champion {one.champion_seconds:.0f} s"
            raise _slow_error(found, f"budget, {one.settings.budget:g} s for each of them")
        RunLimits.of(one.attempt.settings, started=0.0, rows_read=None).check_rejects(self.chunks.rejected)


class PassChallengers:
    """Those of a run's challengers that get the rows of the champion's pass."""

    def __init__(self, challengers: Sequence[Challenger], scan: FileScan) -> None:
        self._staged = list[_StagedChallenger]()
        for one in challengers:
            if one.can_run and one.plan is not None and set(one.plan.snapshot.columns) <= set(scan.columns):
                self._open_stage(one, one.plan, scan)

    def choose_running(self) -> list[PassChallenger]:
        """Those that get the rows of the next tasks, with the seconds that they have left in each of them."""
        return [
            PassChallenger(number, one.rows, one.location, one.seconds_left)
            for number, one in enumerate(self._staged)
            if one.challenger.can_run
        ]

    def add(self, parts: Iterable[ScoredPart], *, every_s: float) -> None:
        """Add what tasks have reported of parts that the champion has scored."""
        for part in parts:
            champion_s = max(part.seconds - part.read_s - sum(one.seconds for one in part.challengers), 0.0)
            for found in part.challengers:
                staged = self._staged[found.number]
                staged.challenger.seconds = (staged.challenger.seconds or 0.0) + found.seconds
                staged.challenger.champion_seconds = (staged.challenger.champion_seconds or 0.0) + champion_s
                _guard_step(staged, partial(staged.add_part, part, found, every_s=every_s))
        for one in self._staged:
            _guard_step(one, one.check_limits)

    def commit(self) -> None:
        """Commit what they have scored, each to its own stage; also of those that were given up: it is not lost."""
        for one in self._staged:
            if one.challenger.error is None:
                _guard_step(one, one.chunks.commit)
            else:
                one.chunks.try_commit()

    def _open_stage(self, challenger: Challenger, plan: Plan, scan: FileScan) -> None:
        try:
            staged = _open_challenger_stage(challenger, plan, scan)
        except Exception as error:  # noqa: BLE001  whatever it is, the champion is scored
            challenger.error = describe_challenger_error(challenger, error)
            return
        if staged is not None:
            challenger.in_pass, challenger.seconds, challenger.champion_seconds = True, 0.0, 0.0
            self._staged.append(staged)


def _open_challenger_stage(challenger: Challenger, plan: Plan, scan: FileScan) -> _StagedChallenger | None:
    """None where its stage is complete, or only Spark can write it: it is scored by itself then."""
    child = challenger.attempt
    store = child.stage_store(plan.run)
    location, earlier = store.location, store.load_progress()
    if location is None or earlier.is_complete:
        return None
    if earlier.has_started and earlier.plan != scan.plan:
        earlier = store.reset(past=earlier)
    create_write_folder(location)
    expressions = plan.derived.expressions
    rows = prepare_stage_rows(child, plan, challenger.counters)
    if expressions:
        rows = replace(rows, derive=ArrowDerivation(bind_zone_offsets(child.spark, expressions)))
    chunks = ChunkCommitter(store, location, schema=rows.schema, scan=scan, progress=earlier)
    return _StagedChallenger(challenger, rows, location, chunks, count_task_slots(child.spark))


def _guard_step(staged: _StagedChallenger, step: Callable[[], None]) -> None:
    """A step of a challenger that has not failed; if it fails now, so has the challenger."""
    if not staged.challenger.can_run:
        return
    try:
        step()
    except Exception as error:  # noqa: BLE001  whatever it is, the champion is scored
        staged.challenger.error = describe_challenger_error(staged.challenger, error)


def _slow_error(found: str, expected: str) -> BatchTimeout:
    return BatchTimeout(
        found,
        f"a challenger that is done within challengers.{expected}",
        "raise it, or make the model faster; the next call goes on from what was scored",
    )
