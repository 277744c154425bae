"""Jobs that ask an endpoint on loopback: what is published, what is kept, what is paid, with which code they end."""

from typing import Any

import pyarrow as pa
import pytest

from sparkscore import score
from sparkscore.errors import (
    AccessDenied,
    ConfigError,
    EndpointUnavailable,
    ModelNotFound,
    PinsConflict,
    ServedModelChanged,
    SparkscoreError,
)
from sparkscore.settings import Settings
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
    refuse,
    send_half,
    send_half_as_whole,
    serving,
    wait,
    wait_until,
)
from tests.world import AS_OF, World

TRIES = 3
"""How often a request is sent (`retries`: 2); Spark tries each task four times."""


def texts(rows: int) -> pa.Table:
    ids = range(rows)
    return pa.table(
        {"id": pa.array(ids, pa.int64()), "text": [f"row {n}" for n in ids], "size": pa.array(ids, pa.int32())}
    )


def job(world: World, script: Script, **llm: Any) -> Settings:
    asked = {"base_url": script.url, "model": MODEL, "prompt": "Say {text} of {size}", "breaker_seconds": 0}
    return world.settings(
        source={"table": "texts", "keys": ["id"], "passthrough": []},
        model={"uri": None},
        llm={**asked, "longest_wait": 0.05, **llm},
        output={"table": "predictions", "threshold": None},
        scoring={"repeat_rows": 8, "max_reject_ratio": 0.5},
    )


@pytest.fixture
def world_of_texts(world: World) -> World:
    world.write_source(texts(20), name="texts")
    return world


def test_answers_are_published_with_what_they_took_and_each_row_is_asked_once(world_of_texts: World) -> None:
    with serving() as script:
        settings = job(world_of_texts, script, price={"prompt": 1.0}, api_key="sk-proj-0123456789abcdef")
        report = score(world_of_texts.spark, settings, as_of=AS_OF)
        seen = world_of_texts.predictions()
    assert report.status == "published"
    assert [row["answer"] for row in seen["prediction"]] == [f"re: Say row {n} of {n}" for n in range(20)]
    assert {row["prompt_tokens"] for row in seen["prediction"]} == {5}
    assert set(seen["model_name"]) == {f"endpoint:/{MODEL}"}
    assert set(seen["model_version"]) == {MODEL}
    assert len(script.paid) == 20
    assert report.model_counts["requests"] == 20
    assert report.model_counts["prompt_tokens"] == 100
    assert report.model_counts["cost"] == pytest.approx(100e-6)
    assert script.asked[0].headers["authorization"] == "Bearer sk-proj-0123456789abcdef"
    files = [file.read_bytes() for file in world_of_texts.home.rglob("*") if file.is_file()]
    assert not [content for content in files if b"0123456789abcdef" in content or script.url.encode() in content]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("transport", "residency"),
    [("arrow", "worker"), ("pandas_udf", "worker"), ("scan", "executor"), ("scan", "worker")],
)
def test_so_it_is_on_every_transport(world_of_texts: World, transport: str, residency: str) -> None:
    def react(asked: Asked) -> Reaction:
        return refuse(413) if number_of(asked) == 3 else complete()

    with serving(react) as script:
        settings = job(world_of_texts, script, api_key="sk-proj-0123456789abcdef", requests_per_minute=6000)
        settings = settings.model_copy(
            update={
                "model": settings.model.model_copy(update={"residency": residency}),
                "scoring": settings.scoring.model_copy(update={"transport": transport}),
            }
        )
        report = score(world_of_texts.spark, settings, as_of=AS_OF)
    answers = {row["id"]: row["prediction"]["answer"] for row in world_of_texts.table().collect()}
    assert answers == {n: f"re: Say row {n} of {n}" for n in range(20) if n != 3}
    assert report.model_counts["requests"] == len(script.asked) == 20


@pytest.mark.slow
def test_values_that_are_sensitive_are_sent_with_a_warning_and_shown_nowhere(world_of_texts: World) -> None:
    with serving(lambda asked: refuse(422, message=f"bad: {asked.prompt}")) as script:
        settings = job(world_of_texts, script)
        source = settings.source.model_copy(update={"sensitive": ("text",)})
        with pytest.raises(ConfigError) as failed:
            score(world_of_texts.spark, settings.model_copy(update={"source": source}), as_of=AS_OF)
    report: Any = failed.value.report
    assert [warning for warning in report.warnings if "source.sensitive" in warning]
    assert "row" not in str(failed.value).split("requests")[0]


class TestBeforeTheFirstRow:
    @pytest.mark.parametrize(
        ("llm", "served", "kind", "code", "found"),
        [
            ({"prompt": "Say {txt}"}, {}, ConfigError, 2, "txt"),
            ({"model": "large"}, {}, ModelNotFound, 4, "large"),
            ({}, {"models_status": 401}, AccessDenied, 2, "401"),
            ({}, {"models_status": 503}, EndpointUnavailable, 75, "503"),
        ],
    )
    def test_it_is_refused_and_nothing_is_paid(
        self,
        world_of_texts: World,
        llm: dict[str, Any],
        served: dict[str, Any],
        kind: type[SparkscoreError],
        code: int,
        found: str,
    ) -> None:
        with serving(**served) as script, pytest.raises(kind, match=found) as failed:
            score(world_of_texts.spark, job(world_of_texts, script, **llm), as_of=AS_OF)
        assert failed.value.exit_code == code
        assert not script.asked


@pytest.mark.parametrize(
    ("reaction", "kind", "code", "paid_in_vain"),
    [
        (refuse(429), EndpointUnavailable, 75, 0),
        pytest.param(refuse(401), AccessDenied, 2, 0, marks=pytest.mark.slow),
        pytest.param(complete(model="another-model"), ServedModelChanged, 4, 10 * 4, marks=pytest.mark.slow),
        pytest.param(hang, EndpointUnavailable, 75, 10 * TRIES * 4, marks=pytest.mark.slow),
        pytest.param(drip, EndpointUnavailable, 75, 10 * TRIES * 4, marks=pytest.mark.slow),
        pytest.param(send_half, EndpointUnavailable, 75, 10 * TRIES * 4, marks=pytest.mark.slow),
        pytest.param(close, EndpointUnavailable, 75, 0, marks=pytest.mark.slow),
    ],
)
def test_where_it_ends_in_the_middle_what_was_answered_is_kept_and_nobody_pays_for_it_again(
    world: World, reaction: Reaction, kind: type[SparkscoreError], code: int, paid_in_vain: int
) -> None:
    world.write_source(texts(20), name="texts")

    def are_first_answered() -> bool:
        return len({number_of(asked) for asked in script.paid} & set(range(10))) == 10

    def fail_late(asked: Asked) -> Reaction:
        return wait_until(are_first_answered, wait(0.5, reaction)) if number_of(asked) >= 10 else complete()

    with serving(fail_late) as script:
        limits = {"timeout": 8.0, "read_timeout": 4.0} if reaction in (hang, drip) else {}
        settings = job(world, script, retries=TRIES - 1, **limits)
        with pytest.raises(kind) as failed:
            score(world.spark, settings, as_of=AS_OF)
        assert failed.value.exit_code == code
        kept = sorted(number_of(asked) for asked in script.paid if number_of(asked) < 10)
        assert len(script.paid) <= 10 + paid_in_vain
        script.asked.clear()
        script.react = lambda asked: complete()
        report = score(world.spark, settings, as_of=AS_OF)
    assert report.status == "published"
    assert kept == list(range(10))  # once, although Spark tries a task several times
    assert sorted(number_of(asked) for asked in script.asked) == list(range(10, 20))


@pytest.mark.slow
@pytest.mark.parametrize("reaction", [send_half_as_whole, complete(choices=[])], ids=["half a JSON", "no choice"])
def test_answers_that_are_none_make_rejects_and_are_paid_for_twice_at_most(
    world_of_texts: World, reaction: Reaction
) -> None:
    with serving(lambda asked: reaction if number_of(asked) < 5 else complete()) as script:
        report = score(world_of_texts.spark, job(world_of_texts, script), as_of=AS_OF)
        rejects = {row["key"]: row["code"] for row in world_of_texts.table("predictions_rejects").collect()}
    assert rejects == {f'{{"id":{n}}}': "invalid_response" for n in range(5)}
    assert (report.rows_scored, report.rows_rejected) == (15, 5)
    assert len(script.paid) <= 15 + 2 * 5


def test_rows_without_an_answer_are_kept_aside_with_their_reason(world_of_texts: World) -> None:
    def react(asked: Asked) -> Reaction:
        number = number_of(asked)
        return {3: complete("", finish_reason="content_filter"), 5: refuse(413)}.get(number, complete())

    with serving(react) as script:
        report = score(world_of_texts.spark, job(world_of_texts, script), as_of=AS_OF)
        rejects = {row["key"]: row["code"] for row in world_of_texts.table("predictions_rejects").collect()}
    assert report.rows_rejected == 2
    assert rejects == {'{"id":3}': "content_filter", '{"id":5}': "prompt_too_long"}


@pytest.mark.slow
def test_another_prompt_is_another_model(world_of_texts: World) -> None:
    with serving() as script:
        score(world_of_texts.spark, job(world_of_texts, script), as_of=AS_OF)
        again = score(world_of_texts.spark, job(world_of_texts, script, concurrency=1), as_of=AS_OF)
        assert again.status == "already_published"
        with pytest.raises(PinsConflict, match="model_digest"):
            score(world_of_texts.spark, job(world_of_texts, script, prompt="Tell {text}"), as_of=AS_OF)
    assert len(script.paid) == 20


@pytest.mark.slow
def test_a_next_run_pays_for_new_texts_alone(world_of_texts: World) -> None:
    with serving() as script:
        score(world_of_texts.spark, job(world_of_texts, script), as_of=AS_OF)
        world_of_texts.write_source(texts(23), name="texts")
        settings = job(world_of_texts, script, price={"completion": 5.0}, concurrency=2)  # neither is another model
        report = score(world_of_texts.spark, settings, as_of="2014-01-01")
        seen = world_of_texts.predictions(as_of="2014-01-01")
    assert [row["answer"] for row in seen["prediction"]] == [f"re: Say row {n} of {n}" for n in range(23)]
    assert report.model_counts["requests"] == 3
    assert len(script.paid) == 23


@pytest.mark.slow
def test_answers_by_a_schema_are_objects_and_wrong_ones_are_rejects(world_of_texts: World) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

    def react(asked: Asked) -> Reaction:
        first = asked.body["messages"][0]["content"]
        number = int(first.split()[2])
        return complete("no" if number == 3 else f'{{"n": {number}}}')

    with serving(react) as script:
        output = {"type": "json", "json_schema": schema}
        report = score(world_of_texts.spark, job(world_of_texts, script, output=output), as_of=AS_OF)
    answers = {row["id"]: row["prediction"]["answer"]["n"] for row in world_of_texts.table().collect()}
    assert answers == {n: n for n in range(20) if n != 3}
    assert report.model_counts["repair_requests"] == 1


@pytest.mark.slow
def test_texts_become_embeddings(world_of_texts: World) -> None:
    with serving() as script:
        report = score(
            world_of_texts.spark, job(world_of_texts, script, route="embedding", prompt="{text}"), as_of=AS_OF
        )
    vectors = {row["id"]: row["prediction"]["embedding"] for row in world_of_texts.table().collect()}
    assert vectors == {n: embed(f"row {n}") for n in range(20)}
    assert report.model_counts["requests"] == 1


def number_of(asked: Asked) -> int:
    return int(asked.prompt.split()[2])
