"""Gives an endpoint up that has failed for some time, whatever was asked. Pure. Runs on executors."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sparkscore.errors import EndpointUnavailable


@dataclass(slots=True)
class CircuitBreaker:
    """Counts failures in a row."""

    failures: int
    """So many of them …"""
    seconds: float
    """… over so long."""
    clock: Callable[[], float] = time.monotonic
    in_row: int = 0
    successes: int = 0
    """Answers so far: whether others were answered while a request failed."""
    _first: float = 0.0

    def note_success(self) -> None:
        """The endpoint has answered."""
        self.in_row, self.successes = 0, self.successes + 1

    def note_failure(self, reason: str) -> None:
        """A try has failed, and not by the row's fault.

        Raises:  EndpointUnavailable where it is one too many.
        """
        if self.in_row == 0:
            self._first = self.clock()
        self.in_row += 1
        lasted = self.clock() - self._first
        if self.in_row >= self.failures and lasted >= self.seconds:
            raise unavailable_error(
                f"{self.in_row} tries in a row have failed over {lasted:.0f} s, the last with {reason}"
            )


def unavailable_error(found: str) -> EndpointUnavailable:
    """The error for an endpoint that is given up for this attempt."""
    return EndpointUnavailable(
        f"the endpoint does not answer: {found}",
        "an endpoint that answers, or that asks for waits of at most llm.longest_wait",
        EndpointUnavailable.remedy,
    )
