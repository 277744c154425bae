"""A key explained in jobs of other kinds: a stream, and one whose prediction table has another name for the key."""

import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkscore import explain_key
from sparkscore.pipelines.stream import stream
from sparkscore.records import KeyExplanation
from sparkscore.settings import Settings
from tests.pipelines.test_explain import without_input
from tests.world import Registry, World, source_rows

AGAIN, REJECTED, ONCE, NEVER = 4, 25, 7, 999
"""Keys of the stream: in two micro-batches, without an input, in one, in none."""
STREAM = {"stream": {"max_files_per_trigger": 2}, "model": {"missing": {"x1": "reject"}}}


@pytest.fixture(scope="module")
def streamed(spark: SparkSession, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three micro-batches."""
    registry.alias(1)
    world = World(spark, tmp_path_factory.mktemp("stream") / "home", registry)
    world.write_source(source_rows(20))
    world.write_source(without_input(source_rows(20, first=20), REJECTED), mode="append")
    world.write_source(source_rows(1, first=AGAIN), mode="append")
    assert stream(spark, world.settings(**STREAM)).batches == 3
    return world


def stream_job(world: World) -> Settings:
    return world.settings(**STREAM)


def told(found: KeyExplanation) -> list[tuple[str, bool]]:
    return [(entry.status, entry.is_current) for entry in found.entries]


class TestStream:
    """Each micro-batch is a run, and most keys come in one of them."""

    def test_a_key_has_an_entry_for_each_micro_batch_in_which_it_came(self, streamed: World) -> None:
        once, again = (explain_key(None, stream_job(streamed), {"id": key}) for key in (ONCE, AGAIN))
        assert told(once) == [("scored", True)]
        assert told(again) == [("scored", True)] * 2
        assert again.entries[0].as_of == once.entries[0].as_of < again.entries[1].as_of
        expected = float(streamed.registry.expected(source_rows(1, first=AGAIN))[0])
        assert [one.values["prediction"] for one in again.entries] == pytest.approx([expected] * 2, abs=1e-12)

    def test_the_other_micro_batches_are_counted(self, streamed: World) -> None:
        (said,) = explain_key(None, stream_job(streamed), {"id": ONCE}).warnings
        assert said == "micro-batches in which the key did not come, which are not listed: 2"

    def test_a_row_that_a_micro_batch_rejected_has_its_reason(self, streamed: World) -> None:
        found = explain_key(None, stream_job(streamed), {"id": REJECTED})
        assert (found.status, told(found)) == ("not_scored", [("rejected", True)])
        assert found.entries[0].code == "missing_input(x1)"

    def test_a_key_that_never_came_says_in_how_many_it_was_looked_for(self, streamed: World) -> None:
        found = explain_key(None, stream_job(streamed), {"id": NEVER})
        assert (found.status, found.entries) == ("not_scored", ())
        assert found.warnings[0].endswith(": 3")

    def test_one_micro_batch_alone_says_what_it_held(self, streamed: World) -> None:
        as_of = explain_key(None, stream_job(streamed), {"id": ONCE}).entries[0].as_of
        (entry,) = explain_key(None, stream_job(streamed), {"id": NEVER}, as_of=as_of).entries
        assert (entry.status, entry.as_of) == ("not_in_source", as_of)
        assert entry.reason == "version 1 of the landing of flights, made after the filter, has no such key"

    def test_micro_batches_whose_rows_are_gone_are_counted_by_themselves(self, streamed: World, tmp_path: Path) -> None:
        copy = World(streamed.spark, tmp_path / "home", streamed.registry)
        shutil.copytree(streamed.home, copy.home)
        shutil.rmtree(stream_job(copy).landing_uri)
        found = explain_key(None, stream_job(copy), {"id": ONCE})
        assert told(found) == [("scored", True)]
        (said,) = found.warnings
        assert "it is not known whether the key came" in said
        assert said.endswith(": 2")


def test_a_key_with_another_name_in_the_prediction_table_goes_by_both(world: World) -> None:
    where = [{"column": "carrier", "op": "=", "value": "AA"}]
    job = world.settings(
        source={"where": where}, model={"missing": {"x1": "reject"}}, output={"rename": {"id": "flight_id"}}
    )
    world.write_source(without_input(source_rows(20), AGAIN))
    world.begin_with(job)
    by_source = explain_key(None, job, {"id": 6})
    assert by_source == explain_key(None, job, {"flight_id": 6})
    assert (by_source.key, told(by_source)) == ({"flight_id": 6}, [("scored", True)])
    statuses = [explain_key(None, job, {"id": key}).entries[0].status for key in (AGAIN, 5, 999)]
    assert statuses == ["rejected", "filtered", "not_in_source"]
