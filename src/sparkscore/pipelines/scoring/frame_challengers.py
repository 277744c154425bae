"""The challengers of a pass in which Spark reads the rows, as the driver sees them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sparkscore.errors import SparkscoreError, TemporaryError
from sparkscore.gate.row_rules import rule_codes_without_arrow_form
from sparkscore.pipelines.scoring.transport_choice import prepare_stage_rows
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_challengers import Challenger, describe_challenger_error
from sparkscore.records import ScoredPart, Snapshot, TableLocation, format_commit_note
from sparkscore.scoring.arrow_challengers import ArrowChallengers
from sparkscore.scoring.challengers_of_part import PassChallenger
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.part_reports import AccumulatedReports
from sparkscore.scoring.stage_rows import StageRowScorer
from sparkscore.spark.session_kind import is_connect_session
from sparkscore.stage.stage_progress import StageProgress
from sparkscore.stage.stage_store import StageStore
from sparkscore.store.file_commit import CommitGuard, commit_files, create_write_folder


@dataclass
class _FramedChallenger:
    challenger: Challenger
    plan: Plan
    store: StageStore
    rows: StageRowScorer
    location: TableLocation
    earlier: StageProgress
    parts: dict[int, ScoredPart] = field(default_factory=dict)

    def take(self, part: ScoredPart, number: int) -> None:
        """Keep what a task has reported; of a task that ran twice the first one."""
        found = next(one for one in part.challengers if one.number == number)
        if part.split in self.parts:
            return
        one, beside_s = self.challenger, sum(each.seconds for each in part.challengers)
        one.seconds = (one.seconds or 0.0) + found.seconds
        one.champion_seconds = (one.champion_seconds or 0.0) + max(part.seconds - part.read_s - beside_s, 0.0)
        if found.error is not None and one.error is None:
            one.error = SparkscoreError.from_dict(found.error)
        self.parts[part.split] = replace(part, files=found.files, challengers=())

    def commit(self, rows: int) -> None:
        """Commit the files of all tasks, if they hold as many rows as the champion's stage.

        Raises:  TemporaryError, PublishConflict, AccessDenied.
        """
        files = [file for part in self.parts.values() for file in part.files]
        found = sum(file.rows for file in files)
        if found != rows:
            raise TemporaryError(
                f"its tasks reported {found:,} of {rows:,} rows", "all of them", "run it again: it is scored by itself"
            )
        note = format_commit_note({"stage": "whole"})
        guard = CommitGuard(self.store.guard, self.earlier.version + 1, note)
        commit_files(self.location, self.rows.schema, files, guard)


class FrameChallengers:
    """Those of a run's challengers that get the rows which Spark reads for the champion."""

    def __init__(self, attempt: Attempt, plan: Plan, challengers: Sequence[Challenger]) -> None:
        """None of them over Connect, or where a row is judged or computed by what only Spark has a form of."""
        self._attempt, self._framed = attempt, list[_FramedChallenger]()
        self._snapshot = plan.snapshot
        self._reports: AccumulatedReports | None = None
        if plan.groups is not None or plan.derived.expressions or is_connect_session(attempt.spark):
            return
        for one in challengers:
            if one.can_run and one.plan is not None and _has_arrow_form(one.plan):
                self._open(one, one.plan)
        if self._framed:
            self._reports = AccumulatedReports(attempt.spark)

    @property
    def snapshot(self) -> Snapshot:
        """What Spark reads for all of them."""
        wanted = (name for one in self._framed for name in one.plan.snapshot.columns)
        return replace(self._snapshot, columns=tuple(dict.fromkeys((*self._snapshot.columns, *wanted))))

    def build_task(self, counters: Counters) -> ArrowChallengers | None:
        """What the tasks do beside the champion; None: nothing."""
        if self._reports is None:
            return None
        running = tuple(
            PassChallenger(number, one.rows, one.location, one.challenger.settings.timeout)
            for number, one in enumerate(self._framed)
        )
        return ArrowChallengers(running, self._attempt.settings.output_keys[0], self._reports.reporter, counters)

    def commit(self, rows: int) -> None:
        """Commit what they have scored, each to its own stage. `rows`: of the champion's."""
        for part in () if self._reports is None else self._reports.take_new_reports():
            for number, one in enumerate(self._framed):
                one.take(part, number)
        for one in self._framed:
            try:
                if one.challenger.error is None:
                    one.commit(rows)
            except Exception as error:  # noqa: BLE001  whatever it is, the champion is scored
                one.challenger.error = describe_challenger_error(one.challenger, error)

    def _open(self, challenger: Challenger, plan: Plan) -> None:
        try:
            store = challenger.attempt.stage_store(plan.run)
            location, earlier = store.location, store.load_progress()
            if location is None or earlier.is_complete:
                return
            earlier = store.reset(past=earlier) if earlier.has_started else earlier
            create_write_folder(location)
            rows = prepare_stage_rows(challenger.attempt, plan, challenger.counters)
        except Exception as error:  # noqa: BLE001  whatever it is, the champion is scored
            challenger.error = describe_challenger_error(challenger, error)
            return
        challenger.in_pass, challenger.seconds, challenger.champion_seconds = True, 0.0, 0.0
        self._framed.append(_FramedChallenger(challenger, plan, store, rows, location, earlier))


def _has_arrow_form(plan: Plan) -> bool:
    return not plan.derived.expressions and not rule_codes_without_arrow_form(plan.rules, plan.row_schema)
