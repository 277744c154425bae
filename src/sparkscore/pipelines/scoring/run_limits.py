"""Limits that end a run while it scores: too many rejected rows, and its deadline."""

import math
import time
from dataclasses import dataclass

from sparkscore.errors import DeadlinePassed, TooManyRejects
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
        return cls(rejects, setting, None if scoring.deadline is None else started + scoring.deadline * _MINUTE_S)

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
