"""Rows are asked of an endpoint that misbehaves: what becomes of them, what is paid, how the run ends."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pandas as pd
import pytest

from sparkscore.errors import (
    AccessDenied,
    ConfigError,
    EndpointUnavailable,
    ModelNotFound,
    ServedModelChanged,
    SparkscoreError,
)
from sparkscore.records.scored_rows import ScoredRows
from sparkscore.workloads.endpoints.endpoint_client import EndpointClient
from sparkscore.workloads.endpoints.endpoint_model import EndpointModel
from sparkscore.workloads.endpoints.endpoint_spec import EndpointAccess, EndpointSpec
from sparkscore.workloads.endpoints.http_posting import HttpPoster
from sparkscore.workloads.endpoints.rate_limits import MinuteLimit, ProcessTurns
from sparkscore.workloads.endpoints.shared_slots import ProcessSlots
from tests.workloads.endpoints.misbehaving_server import (
    MODEL,
    Asked,
    Reaction,
    Script,
    close,
    complete,
    drip,
    embed,
    hang,
    in_turn,
    refuse,
    send_half,
    send_half_as_whole,
    serving,
    wait,
)

SPEC = EndpointSpec(MODEL, (MODEL,), "chat", "Say {text}", parameters={"temperature": 0.0, "seed": 1})


@dataclass
class FakeTime:
    """A clock that moves on where somebody sleeps, so that no test waits."""

    moment: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += seconds
        await asyncio.sleep(0)


def ask(
    script: Script, texts: list[Any], spec: EndpointSpec = SPEC, *, time: FakeTime | None = None, **access: Any
) -> ScoredRows:
    fake = time or FakeTime()
    requests, tokens = (
        None if limit is None else MinuteLimit(limit, ProcessTurns(), fake.clock, fake.sleep)
        for limit in (access.pop(name, None) for name in ("requests_per_minute", "tokens_per_minute"))
    )
    reached = EndpointAccess(script.url, **{"concurrency": 4, **access})

    async def run() -> ScoredRows:
        poster = HttpPoster(reached)
        slots = ProcessSlots(reached.concurrency)
        client = EndpointClient(
            reached, poster, slots, requests, tokens, fake.clock, fake.sleep, source=random.Random(1)
        )
        try:
            return await EndpointModel(spec, client).predict(pd.DataFrame({"text": texts}))
        finally:
            await poster.close()

    return asyncio.run(run())


def answers(scored: ScoredRows) -> list[str | None]:
    return [None if row is None else row["answer"] for row in scored.predictions]


def codes(scored: ScoredRows) -> dict[int, str]:
    return {place: reject.code for place, reject in scored.rejects.items()}


def on(prompt: str, reaction: Reaction) -> Callable[[Asked], Reaction]:
    """This reaction for one prompt, and answers for all others."""
    return lambda asked: reaction if asked.prompt == f"Say {prompt}" else complete()


class TestAnswers:
    def test_each_row_gets_its_own_answer_in_its_order_whatever_the_order_of_the_responses(self) -> None:
        with serving(lambda asked: wait(0.05 if asked.number == 0 else 0, complete())) as script:
            scored = ask(script, [f"row {n}" for n in range(20)])
        assert answers(scored) == [f"re: Say row {n}" for n in range(20)]
        assert not scored.rejects
        assert script.most_at_once <= 4

    def test_rows_say_what_they_took_and_the_batch_adds_it_up(self) -> None:
        with serving() as script:
            scored = ask(script, ["a b", "c"], prompt_price=1.0, completion_price=10.0)
        first = scored.predictions[0]
        assert (first["finish_reason"], first["prompt_tokens"], first["completion_tokens"]) == ("stop", 3, 4)
        assert first["cost"] == pytest.approx(43e-6)
        assert first["latency_ms"] >= 0
        assert scored.counts["requests"] == 2
        assert scored.counts["prompt_tokens"] == 5
        assert scored.counts["cost"] == pytest.approx(43e-6 + 32e-6)

    def test_the_request_holds_model_parameters_messages_and_the_key(self) -> None:
        spec = replace(SPEC, system="You are {text}", max_tokens=7)
        with serving() as script:
            ask(script, ["x"], spec, key="sk-1")
        assert script.asked[0].headers["authorization"] == "Bearer sk-1"
        assert script.asked[0].path == "/v1/chat/completions"
        assert script.asked[0].body == {
            "model": MODEL,
            "temperature": 0.0,
            "seed": 1,
            "max_tokens": 7,
            "messages": [{"role": "system", "content": "You are x"}, {"role": "user", "content": "Say x"}],
        }

    def test_the_completion_route_asks_with_a_prompt(self) -> None:
        with serving() as script:
            scored = ask(script, ["x"], replace(SPEC, route="completion"), key="k", key_header="api-key")
        assert answers(scored) == ["re: Say x"]
        assert script.asked[0].headers["api-key"] == "k"
        assert "authorization" not in script.asked[0].headers

    def test_texts_are_embedded_together_and_embeddings_come_in_any_order(self) -> None:
        def reverse(asked: Asked) -> Reaction:
            data = [{"index": n, "embedding": embed(text)} for n, text in enumerate(asked.body["input"])]
            return complete(data=data[::-1])

        spec = replace(SPEC, route="embedding", prompt="{text}")
        with serving(reverse) as script:
            scored = ask(script, ["a", "b b", "c c c", "d d d d"], spec, texts_per_request=3)
        assert [row["embedding"] for row in scored.predictions] == [embed(t) for t in ("a", "b b", "c c c", "d d d d")]
        assert len(script.asked) == 2
        assert scored.counts["prompt_tokens"] == 10
        assert sum(row["prompt_tokens"] for row in scored.predictions) == 10


class TestRowsAtFault:
    def test_null_and_empty_texts_are_rejected_and_nothing_is_paid_for_them(self) -> None:
        with serving() as script:
            scored = ask(script, [None, "", "  \n", "x"])
        assert codes(scored) == {0: "null_input", 1: "empty_prompt", 2: "empty_prompt"}
        assert len(script.paid) == 1

    def test_null_may_be_a_text(self) -> None:
        with serving() as script:
            assert answers(ask(script, [None], replace(SPEC, null_text="nothing"))) == ["re: Say nothing"]

    def test_braces_in_the_data_are_never_expanded(self) -> None:
        with serving() as script:
            scored = ask(script, ["{text} {{text}} {0} {text.__class__} %s ${text}"])
        assert answers(scored) == ["re: Say {text} {{text}} {0} {text.__class__} %s ${text}"]

    def test_texts_that_are_no_texts_arrive_readable(self) -> None:
        with serving() as script:
            ask(script, [b"a\xff\xfeb", "a\x00\x1b[31mb", "lone \ud800", True, 1.5], concurrency=1)
        assert [asked.prompt for asked in script.asked] == [
            "Say a\ufffd\ufffdb",
            "Say a[31mb",
            "Say lone ?",
            "Say true",
            "Say 1.5",
        ]

    def test_a_text_of_100_000_characters_arrives_whole_or_is_rejected_where_the_endpoint_refuses_it(self) -> None:
        long = "word " * 20_000
        refusal = refuse(400, code="context_length_exceeded")
        with serving() as script:
            assert answers(ask(script, [long])) == [f"re: Say {long}"]
        with serving(on(long, refusal)) as script:
            scored = ask(script, [long, "x"])
        assert codes(scored) == {0: "prompt_too_long"}
        assert len(script.paid) == 1

    @pytest.mark.parametrize(
        ("reaction", "code"),
        [
            (complete("", finish_reason="content_filter"), "content_filter"),
            (refuse(400, code="content_filter"), "content_filter"),
            (refuse(400, message="The response was filtered by the content management policy"), "content_filter"),
            (complete("cut", finish_reason="length"), "length_exceeded"),
            (refuse(413), "prompt_too_long"),
            (refuse(422, type="invalid_request_error"), "request_refused"),
            (complete(choices=[]), "invalid_response"),
            (complete(choices=[{"index": n, "message": {"content": "x"}} for n in range(2)]), "invalid_response"),
            (complete(choices="none"), "invalid_response"),
            (complete(choices=[{"index": 0}]), "invalid_response"),
            (send_half_as_whole, "invalid_response"),
        ],
    )
    def test_a_row_without_an_answer_is_rejected_with_its_reason_and_the_others_are_scored(
        self, reaction: Reaction, code: str
    ) -> None:
        with serving(on("bad", reaction)) as script:
            scored = ask(script, ["a", "bad", "b"])
        assert codes(scored) == {1: code}
        assert answers(scored)[::2] == ["re: Say a", "re: Say b"]
        assert sum(asked.prompt == "Say bad" for asked in script.paid) <= 2

    def test_an_answer_that_was_cut_off_may_be_kept(self) -> None:
        with serving(lambda asked: complete("cut", finish_reason="length")) as script:
            assert answers(ask(script, ["x"], replace(SPEC, keeps_cut_answers=True))) == ["cut"]

    def test_a_row_on_which_the_endpoint_always_fails_is_rejected_where_it_answers_others(self) -> None:
        with serving(on("bad", refuse(500))) as script:
            scored = ask(script, ["bad", *"abcdefgh"], retries=3, concurrency=2)
        assert codes(scored) == {0: "endpoint_error"}
        assert sum(asked.prompt == "Say bad" for asked in script.asked) == 4
        assert len(script.paid) == 8

    def test_one_text_that_is_refused_does_not_take_those_with_it_that_were_asked_together(self) -> None:
        spec = replace(SPEC, route="embedding", prompt="{text}")

        def react(asked: Asked) -> Reaction:
            return refuse(400, code="context_length_exceeded") if "bad" in asked.body["input"] else complete()

        with serving(react) as script:
            scored = ask(script, ["a", "b", "bad", "c"], spec, texts_per_request=4)
        assert codes(scored) == {2: "prompt_too_long"}
        assert [row and row["embedding"] for row in scored.predictions][:2] == [embed("a"), embed("b")]


class TestRetries:
    @pytest.mark.parametrize("reaction", [refuse(429), refuse(500), refuse(503), refuse(408), send_half, close])
    def test_what_passes_is_tried_again_and_counted(self, reaction: Reaction) -> None:
        time = FakeTime()
        with serving(in_turn(reaction, reaction, complete())) as script:
            scored = ask(script, ["x"], time=time)
        assert answers(scored) == ["re: Say x"]
        assert (scored.counts["requests"], scored.counts["retries"]) == (3, 2)
        assert len(time.slept) == 2

    @pytest.mark.parametrize("header", ["Retry-After: 7", "Retry-After: {date}"])
    def test_the_endpoint_says_for_how_long_nobody_asks(self, header: str) -> None:
        time, until = FakeTime(), datetime.now(UTC) + timedelta(seconds=8)
        header = header.format(date=format_datetime(until, usegmt=True))
        with serving(in_turn(refuse(429, header), complete())) as script:
            ask(script, ["x"], time=time)
        assert 6 <= sum(time.slept) <= 9

    def test_a_wait_that_is_too_long_ends_the_run(self) -> None:
        with serving(lambda asked: refuse(429, "Retry-After: 3600")) as script, pytest.raises(EndpointUnavailable):
            ask(script, ["x"])
        assert len(script.asked) == 1

    def test_without_word_from_the_endpoint_waits_grow_and_differ(self) -> None:
        time = FakeTime()
        with serving(in_turn(*[refuse(503)] * 6, complete())) as script:
            ask(script, ["x"], time=time, breaker_failures=100)
        assert len(time.slept) == 6
        assert all(slept <= 0.5 * 2 ** (tries + 1) for tries, slept in enumerate(time.slept))
        assert len(set(time.slept)) == 6

    def test_10_000_times_429_end_soon_and_nothing_is_paid(self) -> None:
        time = FakeTime()
        with serving(lambda asked: refuse(429)) as script, pytest.raises(EndpointUnavailable) as failed:
            ask(script, [f"row {n}" for n in range(10_000)], time=time, concurrency=16)
        assert failed.value.exit_code == 75
        assert not script.paid
        assert len(script.asked) <= 16 * 9
        assert time.moment - 1000 < 16 * 300

    @pytest.mark.parametrize("reaction", [hang, drip])
    def test_servers_that_hang_or_drip_are_given_up_within_the_time_limits(self, reaction: Reaction) -> None:
        begun = time.monotonic()
        with serving(lambda asked: reaction) as script, pytest.raises(EndpointUnavailable):
            ask(script, ["x"], timeout=0.3, read_timeout=0.2, retries=2)
        assert time.monotonic() - begun < 30
        assert len(script.paid) == 3  # what may have been paid is bounded by the tries

    def test_a_row_on_which_only_it_hangs_is_rejected(self) -> None:
        with serving(on("bad", hang)) as script:
            scored = ask(script, ["bad", *"abcdefgh"], timeout=0.5, retries=1, concurrency=2)
        assert codes(scored) == {0: "endpoint_timeout"}
        assert scored.counts["unanswered_requests"] == 2


class TestEnds:
    @pytest.mark.parametrize(
        ("reaction", "kind", "code"),
        [
            (refuse(401), AccessDenied, 2),
            (refuse(403), AccessDenied, 2),
            (refuse(404), ModelNotFound, 4),
            (refuse(302, "Location: http://elsewhere/"), ConfigError, 2),
            (refuse(429, code="insufficient_quota"), EndpointUnavailable, 75),
            (complete(model="another-model"), ServedModelChanged, 4),
        ],
    )
    def test_it_ends_the_run_at_once_also_in_the_middle(
        self, reaction: Reaction, kind: type[SparkscoreError], code: int
    ) -> None:
        with serving(in_turn(*[complete()] * 5, reaction)) as script, pytest.raises(kind) as failed:
            ask(script, [f"row {n}" for n in range(100)])
        assert failed.value.exit_code == code
        assert len(script.asked) <= 5 + 4
        assert "row" not in str(failed.value)

    def test_an_endpoint_that_refuses_whatever_it_is_asked_is_a_wrong_config(self) -> None:
        refusal = refuse(400, type="invalid_request_error", param="temperature", message="secret row 1")
        with serving(lambda asked: refusal) as script, pytest.raises(ConfigError, match="temperature") as failed:
            ask(script, [f"row {n}" for n in range(100)])
        assert "secret" not in str(failed.value)
        assert len(script.asked) <= 3 + 4

    def test_nobody_listens(self) -> None:
        with serving() as script:
            pass
        with pytest.raises(EndpointUnavailable):
            ask(script, ["x"])


class TestLimits:
    def test_requests_are_spread_over_the_minute(self) -> None:
        time = FakeTime()
        with serving() as script:
            scored = ask(script, [f"row {n}" for n in range(30)], time=time, requests_per_minute=60, concurrency=1)
        assert 29 <= time.moment - 1000 <= 31
        assert scored.counts["rate_limit_wait_s"] == pytest.approx(29, abs=1)
        assert len(script.asked) == 30

    def test_tokens_are_spread_over_the_minute_by_what_they_were_in_the_end(self) -> None:
        time, spec = FakeTime(), replace(SPEC, max_tokens=1000)
        with serving(lambda asked: complete("one")) as script:
            ask(script, [f"row {n}" for n in range(30)], spec, time=time, tokens_per_minute=4, concurrency=1)
        assert script.asked[0].number == 0
        used = 30 * 4  # three words of a prompt, one of an answer
        assert (used - 8) / 4 * 60 <= time.moment - 1000 <= (used + 8 + 1010) / 4 * 60
