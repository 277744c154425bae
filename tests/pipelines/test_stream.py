"""A stream: each micro-batch one publication, whatever happens upstream, to the checkpoint or to the model."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from delta.tables import DeltaTable as SparkDeltaTable
from deltalake import DeltaTable

from sparkscore import check_sla, score
from sparkscore.errors import ConfigError, DuplicateKeys, GateFailed, RegistryUnreachable, VersionGone
from sparkscore.model.registry.model_resolution import resolve_model
from sparkscore.pipelines.rejects import retry_rejects
from sparkscore.pipelines.shared import model_pinning
from sparkscore.pipelines.stream import stream
from sparkscore.records import StreamReport
from sparkscore.settings import Settings
from tests.world import World, source_rows


def append(world: World, first: int, rows: int = 20) -> None:
    """One more version of the source, with new rows."""
    world.write_source(source_rows(rows, first=first), mode="append")


def settings(world: World, **groups: Any) -> Settings:
    """The job's; a micro-batch is one version of two files, or so."""
    own = {"max_files_per_trigger": 2, **groups.pop("stream", {})}
    return world.settings(stream=own, **groups)


def run(world: World, **groups: Any) -> StreamReport:
    """One call of the verb."""
    flags = {name: groups.pop(name) for name in ("max_batches", "new_checkpoint") if name in groups}
    return stream(world.spark, settings(world, **groups), **flags)


def published(world: World) -> pa.Table:
    """All rows of the prediction table."""
    return (
        DeltaTable(world.path("predictions")).to_pyarrow_table().sort_by([("as_of", "ascending"), ("id", "ascending")])
    )


def newest(world: World) -> pa.Table:
    """Per key the row of the greatest as_of: what the latest view shows."""
    frame = published(world).to_pandas().sort_values("as_of").groupby("id").tail(1).sort_values("id")
    return pa.Table.from_pandas(frame, preserve_index=False)


def assert_as_scored(world: World, rows: pa.Table, found: pa.Table, *, version: int = 1) -> None:
    assert found["id"].to_pylist() == rows["id"].to_pylist()
    np.testing.assert_allclose(found["prediction"], world.registry.expected(rows, version=version), rtol=0, atol=1e-12)


def as_ofs_by_batch(world: World) -> dict[int, str]:
    """The as_of of each micro-batch, as the checkpoint keeps it."""
    found = (world.home / "checkpoints" / "late-flights" / "batches").glob("*.json")
    return {int(one.stem.split("-")[1]): json.loads(one.read_text())["as_of"] for one in found}


def commits(world: World) -> int:
    """How many commits of the prediction table hold rows."""
    return len(set(published(world)["run_id"].to_pylist()))


def test_each_micro_batch_is_published_once_and_the_next_call_goes_on(world: World) -> None:
    append(world, 60)
    append(world, 80)
    report = run(world)
    assert (report.status, report.exit_code) == ("finished", 0)
    assert (report.batches, report.rows_scored) == (3, 100)
    assert (report.lag_behind, report.source and report.source.version) == (0, 2)
    rows = published(world)
    assert len(pc.unique(rows["as_of"])) == len(pc.unique(rows["run_id"])) == 3
    times = [as_ofs_by_batch(world)[number] for number in sorted(as_ofs_by_batch(world))]
    assert times == sorted(set(times))
    assert (report.first_as_of, report.last_as_of) == (times[0], times[-1])
    assert_as_scored(world, source_rows(100), newest(world))

    again = run(world)
    assert (again.status, again.batches, again.first_as_of) == ("finished", 0, None)
    append(world, 100)
    third = run(world)
    assert (third.batches, third.first_batch, third.rows_scored) == (1, 3, 20)
    assert third.last_as_of is not None
    assert third.last_as_of > times[-1]
    assert_as_scored(world, source_rows(120), newest(world))
    assert_checkpoint_is_guarded(world)


def assert_checkpoint_is_guarded(world: World) -> None:
    """What follows starts no query: the same home serves for all of it."""
    root = world.home / "checkpoints" / "late-flights"
    before = commits(world)
    with pytest.raises(ConfigError, match="belongs to the job late-flights"):
        run(world, job="another", output={"table": "other"}, stream={"checkpoint": str(root)})
    world.write_source(source_rows(5), name="flights2")
    with pytest.raises(ConfigError, match="counts rows of flights "):
        run(world, source={"table": "flights2"})
    kept = root.with_name("kept")
    shutil.move(root / "1" / "offsets", kept)
    with pytest.raises(ConfigError, match="has lost its micro-batches") as lost:
        run(world)
    assert "--new-checkpoint --stream.starting_version 4" in str(lost.value)
    shutil.move(kept, root / "1" / "offsets")
    (root / "stream-owner.json").rename(kept)
    with pytest.raises(ConfigError, match="no stamp of a stream"):
        run(world)
    kept.rename(root / "stream-owner.json")
    shutil.move(root, kept)
    with pytest.raises(ConfigError, match="is empty, and micro-batch 3 of late-flights is published"):
        run(world)
    assert commits(world) == before


def test_a_stream_that_is_stopped_goes_on_where_it_was_and_a_new_checkpoint_from_a_version_on(world: World) -> None:
    append(world, 60)
    append(world, 80)
    first = run(world, max_batches=1)
    assert (first.status, first.batches, first.last_batch) == ("stopped", 1, 0)
    second = run(world)
    assert (second.batches, second.first_batch) == (2, 1)
    append(world, 100)
    anew = run(world, new_checkpoint=True, stream={"starting_version": 3})
    assert (anew.batches, anew.first_batch, anew.rows_scored) == (1, 0, 20)
    assert anew.last_as_of is not None
    assert second.last_as_of is not None
    assert anew.last_as_of > second.last_as_of
    assert_as_scored(world, source_rows(120), newest(world))
    assert len(published(world)) == 120


def test_latest_is_where_the_checkpoint_was_made_also_for_a_stream_that_was_ended_before_its_first_row(
    world: World,
) -> None:
    latest = {"starting_version": "latest"}
    assert run(world, stream=latest).first_batch is None
    append(world, 60)  # while no stream runs
    report = run(world, stream=latest)
    assert (report.batches, report.rows_scored) == (1, 20)
    assert published(world)["id"].to_pylist() == list(range(60, 80))


def test_an_alias_that_moves_is_noticed_by_the_next_micro_batch_and_recorded_in_each_row(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(world, 60)
    original, calls = resolve_model, []

    def moved(*given: Any, **named: Any) -> Any:
        calls.append(1)
        world.registry.alias(min(len(calls), 2))
        if len(calls) == 3:
            raise RegistryUnreachable("no answer", "a registry", "wait")
        return original(*given, **named)

    append(world, 80)
    monkeypatch.setattr(model_pinning, "resolve_model", moved)
    report = run(world)
    rows = published(world)
    versions = [
        set(rows.filter(pc.equal(rows["as_of"], one))["model_version"].to_pylist()) for one in rows["as_of"].unique()
    ]
    # the third finds no registry, and goes on with the model of the second
    assert versions == [{"1"}, {"2"}, {"2"}]
    assert report.models == {"1": 1, "2": 2}
    assert any("private copy" in text for text in report.warnings)
    append(world, 100)
    calls[:] = [1, 1]
    with pytest.raises(RegistryUnreachable) as failed:
        run(world)
    assert isinstance(failed.value.report, StreamReport)
    assert (failed.value.exit_code, failed.value.report.status) == (75, "failed")


class TestUpstream:
    """Rows that are updated or deleted in the source."""

    def test_an_update_ends_the_stream_and_can_be_passed_by(self, world: World) -> None:
        run(world)
        SparkDeltaTable.forPath(world.spark, world.path("flights")).update("id = 3", {"x1": "9.0"})
        append(world, 60)
        with pytest.raises(ConfigError, match="version 1 of flights updates, deletes or overwrites rows") as refused:
            run(world)
        assert "stream.on_update: ignore" in str(refused.value)
        report = run(world, stream={"on_update": "ignore"})
        assert (report.batches, report.rows_scored) == (1, 20)
        assert_as_scored(world, source_rows(80), newest(world))

    def test_changes_scores_inserts_and_the_last_update_of_each_key(self, world: World) -> None:
        name = f"delta.`{world.path('flights')}`"
        with pytest.raises(ConfigError, match="has no change data feed"):
            run(world, stream={"on_update": "changes"})
        world.spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")
        changing = {"on_update": "changes", "max_files_per_trigger": 100}
        assert run(world, stream=changing).rows_scored == 60
        source = SparkDeltaTable.forPath(world.spark, world.path("flights"))
        source.update("id = 3", {"x1": "9.0"})
        source.update("id = 3", {"x1": "10.0"})
        source.update("id = 5", {"x1": "11.0"})
        source.delete("id = 5")
        append(world, 60)
        report = run(world, stream=changing)
        assert (report.batches, report.rows_scored) == (1, 21)
        last = published(world).filter(pc.equal(published(world)["as_of"], pa.scalar(_moment(report.last_as_of))))
        assert last["id"].to_pylist() == [3, *range(60, 80)]
        changed = source_rows(4, first=0).to_pandas().assign(x1=[0.0, 0.0, 0.0, 10.0])
        expected = world.registry.expected(pa.Table.from_pandas(changed))[3]
        assert last["prediction"].to_pylist()[0] == pytest.approx(expected, abs=1e-12)

    def test_versions_that_the_log_has_lost_are_named(self, world: World) -> None:
        run(world)
        append(world, 60)
        append(world, 80)
        log = Path(world.path("flights")) / "_delta_log"
        DeltaTable(world.path("flights")).create_checkpoint()
        for version in (0, 1):
            (log / f"{version:020d}.json").unlink()
        with pytest.raises(VersionGone, match="version 1 of flights is gone") as gone:
            run(world)
        assert "--new-checkpoint --stream.starting_version 2" in str(gone.value)

    def test_files_that_are_gone_and_a_source_that_was_made_anew_are_refused(self, world: World) -> None:
        run(world)
        append(world, 60)
        for file in DeltaTable(world.path("flights")).file_uris():
            Path(file).unlink()
        with pytest.raises(VersionGone):
            run(world)
        shutil.rmtree(world.path("flights"))
        world.spark.createDataFrame(source_rows(60)).write.format("delta").save(world.path("flights"))
        with pytest.raises(ConfigError, match="was made anew"):
            run(world)


def _moment(text: str | None) -> datetime:
    assert text is not None
    return datetime.fromisoformat(text).astimezone(UTC)


class TestKeys:
    """One key in one micro-batch, and in two."""

    def test_two_rows_of_a_key_in_one_batch_fail_it_unless_a_column_says_which_is_newer(self, world: World) -> None:
        twice = source_rows(20, first=50).append_column("at", pa.array(range(20)))
        world.write_source(source_rows(60).append_column("at", pa.array([-1] * 60)))
        world.write_source(twice, mode="append")
        with pytest.raises(DuplicateKeys) as refused:
            run(world, stream={"max_files_per_trigger": 100})
        assert isinstance(refused.value.report, StreamReport)
        assert (refused.value.report.exit_code, refused.value.report.batches) == (3, 0)
        # the micro-batch was landed as it is: another rule makes it another landing of the same rows
        report = run(world, stream={"max_files_per_trigger": 100, "newest_by": "at"}, new_checkpoint=True)
        assert (report.batches, report.rows_scored) == (1, 70)

    def test_a_key_of_an_earlier_batch_comes_again_and_the_later_batch_wins(self, world: World) -> None:
        run(world)
        later = source_rows(60).to_pandas().assign(x1=lambda frame: frame["x1"] + 1)[:10]
        again = pa.Table.from_pandas(later, schema=source_rows(1).schema, preserve_index=False)
        world.write_source(again, mode="append")
        run(world)
        assert len(published(world)) == 70
        rows = pa.concat_tables([again, source_rows(50, first=10)])
        assert_as_scored(world, rows, newest(world))
        # and a retry of the very same event is only another row of another as_of
        world.write_source(again, mode="append")
        run(world)
        assert_as_scored(world, rows, newest(world))


SUITE = {
    "name": "s",
    "expectations": [
        {
            "type": "expect_column_max_to_be_between",
            "kwargs": {"column": "x1", "max_value": 2.0},
            "severity": "critical",
        }
    ],
    "meta": {},
}


def test_a_batch_that_a_gate_refuses_stops_the_stream_or_is_kept_aside(world: World, tmp_path: Path) -> None:
    suite = tmp_path / "suite.json"
    suite.write_text(json.dumps(SUITE))
    bad = source_rows(20, first=60).to_pandas().assign(x1=9.0)
    world.write_source(pa.Table.from_pandas(bad, schema=source_rows(1).schema, preserve_index=False), mode="append")
    append(world, 80)
    gate = {"input": str(suite)}
    with pytest.raises(GateFailed) as refused:
        run(world, gate=gate)
    assert isinstance(refused.value.report, StreamReport)
    assert (refused.value.report.batches, refused.value.report.exit_code) == (1, 3)
    first = as_ofs_by_batch(world)
    report = run(world, gate=gate, stream={"on_gate_failure": "quarantine"})
    assert (report.status, report.batches, report.batches_quarantined) == ("finished", 1, 1)
    assert report.quarantined == (first[1],)  # the same micro-batch, under the same as_of
    assert set(published(world)["id"].to_pylist()) == {*range(60), *range(80, 100)}
    # somebody looks at it, and publishes it after all
    later = score(world.spark, settings(world), as_of=first[1])
    assert (later.status, later.rows_scored) == ("published", 20)
    assert len(published(world)) == 100


def test_rejected_rows_of_a_micro_batch_can_be_scored_again(world: World) -> None:
    broken = source_rows(20, first=60).to_pandas()
    broken.loc[3, "x1"] = None
    world.write_source(pa.Table.from_pandas(broken, schema=source_rows(1).schema, preserve_index=False), mode="append")
    rejecting = {"missing": {"x1": "reject"}}
    report = run(world, model=rejecting)
    assert (report.batches, report.rows_scored, report.rows_rejected) == (2, 79, 1)
    assert report.last_run_id is not None
    retried = retry_rejects(world.spark, settings(world, model=rejecting), run=report.last_run_id)
    assert retried.status == "nothing_to_score"  # it is as it was; what matters: it was found and read
    assert retried.exit_code == 0
    # the age of its source is that of what was landed, not of a version of the source that has this number
    aged = settings(world, sla={"source_age_hours": 1.0})
    assert [rule.kept for rule in check_sla(world.spark, aged)] == [True]


def test_other_sources_of_spark_are_streamed_too_and_what_is_missing_is_named(world: World) -> None:
    source = {"table": "rate", "format": "rate", "keys": ["value"], "passthrough": [], "options": {"rowsPerSecond": 50}}
    inputs = {"inputs": {"x1": {"cast": "value", "to": "double"}, "x2": {"cast": "value", "to": "double"}}}
    ticking = {"trigger": "500 milliseconds", "max_files_per_trigger": None}
    report = run(world, source=source, model=inputs, stream=ticking, max_batches=3)
    assert (report.status, report.batches + report.batches_empty) == ("stopped", 3)
    assert len(published_values(world)) == report.rows_scored > 0
    again = run(world, source=source, model=inputs, stream=ticking, max_batches=2)
    values = published_values(world)
    assert values == list(range(len(values))), "each once, none left out"
    assert again.first_batch == 3
    with pytest.raises(ConfigError, match=r"stream\.max_files_per_trigger for a source of the format rate"):
        run(world, source=source)
    kafka = {**source, "table": "flights.v1", "format": "kafka", "options": {"kafka.bootstrap.servers": "127.0.0.1:9"}}
    elsewhere: dict[str, Any] = {"checkpoint": str(world.home / "other"), "max_files_per_trigger": None}
    with pytest.raises(ConfigError, match="do not say which columns"):
        run(world, source=kafka, stream=elsewhere, job="k1", output={"table": "p1"})
    kafka["schema"] = "value bigint"
    with pytest.raises(ConfigError, match=r"spark-sql-kafka-0-10_2\.13:4"):
        run(world, source=kafka, stream=elsewhere, job="k1", output={"table": "p1"})


def published_values(world: World) -> list[int]:
    """The keys of the rate source."""
    return sorted(DeltaTable(world.path("predictions")).to_pyarrow_table(columns=["value"])["value"].to_pylist())
