"""Limits that end a run while it scores: too many rejected rows, its deadline, and its budgets."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkscore.errors import BudgetReached, DeadlinePassed, TooManyRejects
from sparkscore.scoring.counters import Counters
from sparkscore.settings import Settings
from sparkscore.spark.background_job import BackgroundJob, JobResult

_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class RunLimits:
    """The limits of one attempt."""

    rejects: float
    """The greatest number of rejected rows."""
    setting: str
    """The setting that says so."""
    until: float | None
    """On the monotonic clock; None: no deadline."""
    budgets: Mapping[str, float] = field(default_factory=dict)
    """What the attempt may use, by the name of what is counted."""
    began: float = field(default_factory=time.monotonic)
    """On the monotonic clock: from when on the budget `seconds` counts."""

    @classmethod
    def of(cls, settings: Settings, *, started: float, rows_read: int | None) -> "RunLimits":
        """The limits for a source with this many rows, or at most so many; None where nothing is known of that."""
        scoring = settings.scoring
        limits: list[tuple[float, str]] = [(math.inf, "")]
        if rows_read is not None:
            share = int(scoring.max_reject_ratio * rows_read)
            limits.append((share, f"scoring.max_reject_ratio {scoring.max_reject_ratio:g} of {rows_read:,} rows"))
        if scoring.max_rejects is not None:
            limits.append((scoring.max_rejects, f"scoring.max_rejects {scoring.max_rejects:,}"))
        rejects, setting = min(limits)
        until = None if scoring.deadline is None else started + scoring.deadline * _MINUTE_S
        return cls(rejects, setting, until, scoring.budgets)

    def check(self, *, rejected: int) -> None:
        """Raise an error if the run must end now.

        Raises:  TooManyRejects, DeadlinePassed.
        """
        self.check_rejects(rejected)
        if self.until is not None and time.monotonic() > self.until:
            raise DeadlinePassed(
                "scoring.deadline passed before all rows were scored",
                "a run that ends before its deadline",
                "run it again: it continues from the chunks that were kept; or raise scoring.deadline",
            )

    def result(self, job: BackgroundJob[JobResult]) -> JobResult:
        """The result of a background job whose rejects are known only at its end.

        Raises:  DeadlinePassed, and whatever the job raised.
        """
        for _ in job.ticks():
            self.check(rejected=0)
        return job.result()

    def check_budgets(self, counters: Counters, *, scored: int | None) -> None:
        """Raise an error if a budget is used up. `scored`: rows that are kept, those of earlier attempts among them.

        Raises:  BudgetReached.
        """
        if not self.budgets:
            return
        used = {**counters.usage, "seconds": time.monotonic() - self.began}
        over = [name for name, most in self.budgets.items() if used.get(name, 0) >= most]
        if over:
            # not "tokens: 1": that looks as if it told a secret, and would be masked
            told = " and ".join(f"{used[name]:,.10g} of {self.budgets[name]:,.10g} {name}" for name in over)
            kept = "" if scored is None else f"; {scored:,} rows of the source are scored and kept"
            raise BudgetReached(
                f"scoring.budgets: {told} are used{kept}",
                "all rows scored within the budgets of one attempt",
                "run it again: it continues from the chunks that were kept, and has each budget anew; or raise it",
            )

    def find_unknown_budgets(self, counters: Counters) -> list[str]:
        """The budgets of what nothing has counted; none where the model was not called."""
        return sorted(set(self.budgets) - {*counters.usage, "seconds"}) if counters.rows else []

    def check_rejects(self, rejected: int) -> None:
        """Raise an error if too many rows are rejected.

        Raises:  TooManyRejects.
        """
        if rejected > self.rejects:
            raise TooManyRejects(
                f"{rejected:,} rows so far could not be scored",
                f"at most {self.rejects:,} ({self.setting})",
                "look at the reasons (the stage keeps them), repair the source or the model, or raise the limit",
            )
