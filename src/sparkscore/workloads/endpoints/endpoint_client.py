"""Asks an endpoint: within limits, again where that can help, and no longer where it cannot. Runs on executors."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from sparkscore.records.scored_rows import RowReject
from sparkscore.workloads.endpoints.circuit_breaker import CircuitBreaker, unavailable_error
from sparkscore.workloads.endpoints.completions import InvalidResponse
from sparkscore.workloads.endpoints.endpoint_requests import EndpointRequest
from sparkscore.workloads.endpoints.endpoint_spec import EndpointAccess
from sparkscore.workloads.endpoints.http_posting import HttpAnswer, NoAnswer, Poster
from sparkscore.workloads.endpoints.rate_limits import MinuteLimit
from sparkscore.workloads.endpoints.refused_requests import (
    REQUEST_REFUSED,
    Refusal,
    every_request_error,
    judge_response,
)
from sparkscore.workloads.endpoints.retry_delays import choose_delay, parse_retry_after

Parsed = TypeVar("Parsed")

INVALID_RESPONSE = RowReject("invalid_response", "the endpoint sent twice what is no answer to the request of this row")
ENDPOINT_ERROR = RowReject("endpoint_error", "the endpoint failed on each try of this row, and answered others")
ENDPOINT_TIMEOUT = RowReject("endpoint_timeout", "the endpoint timed out on each try of this row, and answered others")
_INVALID_TRIES = 2
"""Each may have been paid."""
_REFUSED_AT_FIRST = 3
_TOO_MANY_REQUESTS = 429


class SlotKeeper(Protocol):
    """Limits how many requests are open at once."""

    def hold_slot(self) -> AbstractAsyncContextManager[None]:
        """A block that has a slot."""


class RowRefused(Exception):
    """There is no answer for a request, by the fault of its rows."""

    def __init__(self, row: RowReject) -> None:
        super().__init__(row.code)
        self.row = row


@dataclass(slots=True)
class ClientCounts:
    """What asking took, since they were last taken."""

    requests: int = 0
    """Tries that were sent."""
    retries: int = 0
    unanswered_requests: int = 0
    """Tries without a whole response: they may have been paid."""
    rate_limit_wait_s: float = 0.0
    retry_wait_s: float = 0.0


@dataclass(slots=True)
class _Failure:
    """Why a try gave no answer."""

    reason: str
    asked_s: float | None = None
    timed_out: bool = False
    refused_with_429: bool = False


@dataclass(slots=True)
class EndpointClient:
    """One process' way to an endpoint."""

    access: EndpointAccess
    poster: Poster
    slots: SlotKeeper
    requests: MinuteLimit | None = None
    tokens: MinuteLimit | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    source: random.Random = field(default_factory=random.Random)
    counts: ClientCounts = field(default_factory=ClientCounts)
    breaker: CircuitBreaker = field(init=False)
    _resume_at: float = 0.0
    _refused_at_first: int = 0

    def __post_init__(self) -> None:
        self.breaker = CircuitBreaker(self.access.breaker_failures, self.access.breaker_seconds, self.clock)

    async def ask(self, request: EndpointRequest, parse: Callable[[HttpAnswer], Parsed]) -> tuple[Parsed, float]:
        """The parsed answer, and the milliseconds of the try that gave it.

        Raises:  RowRefused; EndpointUnavailable, AccessDenied, ConfigError, ModelNotFound; what `parse` raises.
        """
        answered_before, tries, invalid = self.breaker.successes, 0, 0
        while True:
            failure: _Failure | None
            try:
                async with self.slots.hold_slot():
                    await self._wait_for_turn(request)
                    self.counts.requests += 1
                    started = self.clock()
                    answer = await self.poster.post(request.path, request.body)
                    latency_ms = (self.clock() - started) * 1e3
                failure = self._judge(answer)
                if failure is None:
                    parsed = parse(answer)
                    self.breaker.note_success()
                    return parsed, latency_ms
            except NoAnswer as none:
                self.counts.unanswered_requests += 1
                failure = _Failure(str(none), timed_out=none.timed_out)
            except InvalidResponse as wrong:
                invalid += 1
                failure = _Failure(str(wrong))
            tries += 1
            self.breaker.note_failure(failure.reason)
            if invalid >= _INVALID_TRIES:
                raise RowRefused(INVALID_RESPONSE)
            if tries > self.access.retries:
                raise self._give_up_error(failure, answered_before, tries)
            await self._wait_for_retry(tries, failure)

    def take_counts(self) -> ClientCounts:
        """What asking took since the last call."""
        counts, self.counts = self.counts, ClientCounts()
        counts.rate_limit_wait_s = 0.0
        for limit in (self.requests, self.tokens):
            if limit is not None:
                counts.rate_limit_wait_s, limit.waited_s = counts.rate_limit_wait_s + limit.waited_s, 0.0
        return counts

    def settle_tokens(self, request: EndpointRequest, used: int) -> None:
        """What a request has taken, in the place of what it was thought to take."""
        if self.tokens is not None:
            self.tokens.settle(used - request.tokens)

    async def _wait_for_turn(self, request: EndpointRequest) -> None:
        if self.tokens is not None:
            await self.tokens.take(request.tokens)
        if self.requests is not None:
            await self.requests.take(1)
        while (wait := self._resume_at - self.clock()) > 0:
            self.counts.retry_wait_s += wait
            await self.sleep(wait)

    async def _wait_for_retry(self, tries: int, failure: _Failure) -> None:
        delay = choose_delay(tries, longest_s=self.access.longest_wait, asked_s=failure.asked_s, source=self.source)
        if failure.asked_s is not None:  # it means all of us
            self._resume_at = max(self._resume_at, self.clock() + failure.asked_s)
        self.counts.retries += 1
        self.counts.retry_wait_s += delay
        await self.sleep(delay)

    def _judge(self, answer: HttpAnswer) -> _Failure | None:
        refusal = judge_response(answer)
        if refusal is None:
            return None
        if refusal.error is not None:
            raise refusal.error
        if refusal.row is not None:
            self._note_refused(refusal)
            raise RowRefused(refusal.row)
        asked_s = parse_retry_after(answer.retry_after, self.now())
        if asked_s is not None and asked_s > self.access.longest_wait:
            raise unavailable_error(f"{refusal.reason}, and it asks to wait for {asked_s:,.0f} s")
        return _Failure(refusal.reason, asked_s, refused_with_429=answer.status == _TOO_MANY_REQUESTS)

    def _note_refused(self, refusal: Refusal) -> None:
        """A row that is refused is an answer, unless nothing else was ever heard: then no row is at fault."""
        if refusal.row is not REQUEST_REFUSED or self.breaker.successes:
            self.breaker.note_success()
            return
        self._refused_at_first += 1
        if self._refused_at_first >= _REFUSED_AT_FIRST:
            raise every_request_error(refusal.reason, self._refused_at_first)

    def _give_up_error(self, failure: _Failure, answered_before: int, tries: int) -> Exception:
        """A row is at fault only where others were answered meanwhile, and never for a limit that all share."""
        if failure.refused_with_429 or self.breaker.successes == answered_before:
            return unavailable_error(f"a request failed in {tries} tries, the last with {failure.reason}")
        return RowRefused(ENDPOINT_TIMEOUT if failure.timed_out else ENDPOINT_ERROR)
