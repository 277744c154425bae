"""A real language model behind a real server: SmolLM2-135M by llama.cpp. Its build and start belong to the test."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from sparkscore import score
from sparkscore.errors import ModelNotFound
from sparkscore.settings import Settings
from tests.workloads.endpoints.llama_server import MODEL, serving_smollm
from tests.world import AS_OF, World

pytestmark = pytest.mark.slow

TEXTS = ["the sea", "a mountain", "an old {house}", None]


@pytest.fixture(scope="module")
def smollm() -> Iterator[str]:
    with serving_smollm() as url:
        yield url


def job(world: World, url: str, **llm: Any) -> Settings:
    world.write_source(pa.table({"id": pa.array(range(len(TEXTS)), pa.int64()), "text": TEXTS}), name="texts")
    asked = {"base_url": url, "model": MODEL, "prompt": "Write one sentence about {text}.", "max_tokens": 8}
    return world.settings(
        source={"table": "texts", "keys": ["id"], "passthrough": []},
        model={"uri": None},
        llm={**asked, "cut_answers": "keep", "read_timeout": 500, "timeout": 550, **llm},
        output={"table": "predictions", "threshold": None},
        scoring={"max_reject_ratio": 0.5},
    )


@pytest.mark.parametrize("route", ["chat", "completion"])
def test_it_answers_and_counts_its_tokens(world: World, smollm: str, route: str) -> None:
    report = score(world.spark, job(world, smollm, route=route, system="Be brief."), as_of=AS_OF)
    answers = [row for row in world.predictions()["prediction"] if row is not None]
    assert report.status == "published"
    assert (report.rows_scored, report.rows_rejected) == (3, 1)
    assert route == "completion" or all(row["answer"].strip() for row in answers)
    assert {row["completion_tokens"] for row in answers} <= set(range(10))
    assert report.model_counts["requests"] == 3
    assert report.model_counts["completion_tokens"] == sum(row["completion_tokens"] for row in answers)


def test_at_temperature_0_it_answers_the_same_again(world: World, smollm: str) -> None:
    settings = job(world, smollm, max_tokens=4)
    score(world.spark, settings, as_of=AS_OF)
    score(world.spark, settings, as_of="2014-01-01")
    first, second = (world.predictions(as_of=as_of)["prediction"] for as_of in (AS_OF, "2014-01-01"))
    assert [row["answer"] for row in first] == [row["answer"] for row in second]


def test_a_model_that_it_does_not_serve_is_told_before_a_row_is_read(world: World, smollm: str) -> None:
    with pytest.raises(ModelNotFound, match=MODEL):
        score(world.spark, job(world, smollm, model="smollm3"), as_of=AS_OF)
