"""The main job, as its users see it."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from delta.tables import DeltaTable
from pyspark.sql import functions as F

from sparkscore import register_tables, score
from sparkscore.errors import (
    AccessDenied,
    ConfigError,
    DigestMismatch,
    DuplicateKeys,
    ForeignTable,
    GateFailed,
    ModelNotFound,
    NameRefused,
    PinsConflict,
    RegistryUnreachable,
    RowsNotPredicted,
    SignatureError,
    SparkscoreError,
    TableChanged,
    TableNotFound,
    TemporaryError,
)
from sparkscore.model.trust.model_digest import compute_former_digest
from sparkscore.pipelines.shared import pinning
from sparkscore.pipelines.shared import publishing as page
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.publish.latest_view import latest_predictions
from sparkscore.publish.publish_run import publish_run
from sparkscore.records import Pins, RunReport
from sparkscore.schemas import LINEAGE_COLUMNS
from sparkscore.settings import Settings
from tests.world import AS_OF, SOURCE, World, assert_predicted, assert_published, source_rows

BATCH_ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"


def run(world: World, settings: Settings | None = None, *, as_of: str = AS_OF, **flags: Any) -> RunReport:
    return score(world.spark, settings or world.settings(), as_of=as_of, **flags)


def begin(world: World, settings: Settings | None = None, *, as_of: str = AS_OF, **flags: Any) -> RunReport:
    return world.begin_with(settings, as_of=as_of, **flags)


def suite(folder: Path, name: str, *rules: Mapping[str, Any]) -> str:
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"name": name, "expectations": list(rules)}))
    return str(file)


class TestPublishing:
    def test_every_source_row_has_the_models_prediction(self, world: World) -> None:
        report = run(world)
        assert (report.status, report.exit_code) == ("published", 0)
        assert (report.rows_read, report.rows_scored, report.rows_rejected) == (60, 60, 0)
        assert_published(world, report, source_rows())
        by_spark = world.table().where(f"as_of = timestamp'{AS_OF} 00:00:00Z'").toPandas()
        assert_predicted(world, report, source_rows(), by_spark.sort_values("id", ignore_index=True))

    def test_the_report_tells_what_ran(self, world: World) -> None:
        report = begin(world)
        assert report.model is not None
        assert report.source is not None
        assert (report.model.name, report.model.version) == ("late", "1")
        assert (report.source.table, report.source.version) == ("flights", 0)
        assert (report.revision, report.attempt, report.transport, report.table_version) == (1, 1, "scan", 1)
        assert report.model_loads is not None
        assert set(report.seconds) == {"pin", "score_and_stage", "output_gate", "publish", "total"}
        assert report.rows_per_second is not None

    def test_the_table_has_its_contract_and_is_readable_by_the_plainest_reader(self, world: World) -> None:
        begin(world)
        names = ["id", "prediction", "label", "carrier", *(column.name for column in LINEAGE_COLUMNS)]
        assert world.table().columns == names
        detail = DeltaTable.forPath(world.spark, world.path("predictions")).detail().collect()[0]
        assert (detail["minReaderVersion"], detail["partitionColumns"]) == (1, ["as_of_date"])
        assert detail["properties"]["sparkscore.job"] == "late-flights"
        assert all(field.metadata.get("comment") for field in world.table().schema)

    def test_a_run_is_one_commit_after_the_creation(self, world: World) -> None:
        begin(world)
        assert world.version() == 1

    def test_the_events_tell_the_story(self, world: World) -> None:
        begin(world)
        assert world.events() == ["started", "staged", "published"]

    def test_another_as_of_is_other_rows(self, world: World) -> None:
        first = begin(world)
        second = run(world, as_of="2014-01-31")
        assert_published(world, first, source_rows())
        assert_published(world, second, source_rows(), as_of="2014-01-31")

    def test_a_filter_leaves_rows_out(self, world: World) -> None:
        report = run(world, world.settings(source={"where": [{"column": "id", "op": "<", "value": 10}]}))
        assert_published(world, report, source_rows(10))

    def test_an_older_source_version_is_scored_when_it_is_named(self, world: World) -> None:
        world.write_source(source_rows(5, first=100))
        report = run(world, world.settings(source={"version": 0}))
        assert_published(world, report, source_rows())

    def test_without_a_threshold_the_models_output_is_stored_as_it_is(self, world: World) -> None:
        run(world, world.settings(output={"threshold": None}))
        frame = world.predictions()
        assert "label" not in frame
        np.testing.assert_allclose(
            [p[1] for p in frame["prediction"]], world.registry.expected(source_rows()), atol=1e-12
        )

    def test_batches_have_the_rows_that_were_asked_for_and_the_predictions_are_the_same(self, world: World) -> None:
        settings = world.settings(scoring={"batch_rows": 7})
        assert Attempt.open(world.spark, settings, AS_OF).spark.conf.get(BATCH_ROWS) == "7"
        assert_published(world, run(world, settings), source_rows())

    def test_the_callers_session_stays_as_it_is(self, world: World) -> None:
        before = dict(world.spark.conf.getAll)
        run(world)
        assert dict(world.spark.conf.getAll) == before

    def test_the_source_stays_as_it_is(self, world: World) -> None:
        begin(world)
        assert world.version("flights") == 0

    def test_names_with_spaces_dots_and_quotes_are_columns_like_others(self, world: World) -> None:
        rows = source_rows().rename_columns(["the.key", "it's", "x1", "x2"])
        path = world.path("odd")
        frame = world.spark.createDataFrame(rows)
        frame.write.format("delta").save(path)
        report = run(world, world.settings(source={"table": "odd", "keys": ["the.key"], "passthrough": ["it's"]}))
        assert report.rows_scored == 60
        assert world.table().columns[:4] == ["the.key", "prediction", "label", "it's"]

    def test_a_models_input_may_have_another_name_in_the_source(self, world: World) -> None:
        world.write_source(source_rows().rename_columns(["id", "carrier", "first", "x2"]))
        report = run(world, world.settings(model={"inputs": {"x1": "first"}}))
        assert_published(world, report, source_rows())

    def test_without_a_catalog_names_are_registered_for_sql(self, world: World) -> None:
        begin(world)
        begin(world, as_of="2013-12-30")
        names = ["flights", "predictions", "predictions_runs", "predictions_latest"]
        assert register_tables(world.spark, world.settings()) == names
        query = "SELECT count(*), min(as_of_date) FROM predictions_latest JOIN flights USING (id)"
        assert [str(value) for value in world.spark.sql(query).collect()[0]] == ["60", "2013-12-31"]

    def test_tables_of_a_catalog_are_scanned_and_get_a_view_of_the_latest(self, world: World) -> None:
        world.spark.sql(f"CREATE SCHEMA lake LOCATION '{world.home}/lake'")
        try:
            world.spark.sql(f"CREATE TABLE lake.flights USING delta LOCATION '{world.path('flights')}'")
            settings = world.settings(source={"table": "lake.flights"}, output={"table": "lake.predictions"})
            assert run(world, settings).transport == "scan"
            rows = [tuple(row) for row in world.spark.sql("SELECT id, prediction FROM lake.predictions").collect()]
            expected = world.registry.expected(source_rows())
            np.testing.assert_allclose([value for _, value in sorted(rows)], expected, rtol=0, atol=1e-12)
            run(world, settings, as_of="2013-12-30")
            latest = world.spark.table("lake.predictions_latest")
            assert latest.count() == 60
            assert {row["as_of"].astimezone(UTC) for row in latest.select("as_of").distinct().collect()} == {
                datetime(2013, 12, 31, tzinfo=UTC)
            }
        finally:
            world.spark.sql("DROP SCHEMA lake CASCADE")


class TestAgain:
    def test_a_published_as_of_is_left_alone(self, world: World) -> None:
        first, version = begin(world), world.version()
        again = run(world)
        assert (again.status, again.exit_code, again.run_id) == ("already_published", 0, first.run_id)
        assert (again.model_loads, world.version()) == (0, version)
        assert (again.rows_scored, again.table_version, again.newer) == (60, first.table_version, None)

    def test_a_newer_source_and_a_moved_alias_only_show(self, world: World) -> None:
        begin(world)
        world.write_source(source_rows(5), mode="append")
        world.registry.alias(2)
        assert run(world).newer == {"source_version": 1, "model_version": "2"}

    def test_an_unreachable_registry_is_no_reason_to_fail(self, world: World) -> None:
        begin(world)
        again = run(world, world.settings(model={"tracking_uri": "http://127.0.0.1:9"}))
        assert again.status == "already_published"
        assert "cannot check whether a newer" in again.warnings[0]

    def test_other_pins_are_refused_with_both_sides_named(self, world: World) -> None:
        begin(world)
        world.write_source(source_rows(), name="other")
        asked: tuple[tuple[str, dict[str, Any]], ...] = (
            ("threshold 0.5 published, 0.4 asked for", {"output": {"threshold": 0.4}}),
            ("scoring_digest", {"source": {"passthrough": []}}),
            ("model_version 1 published, 2 asked for", {"model": {"uri": "models:/late/2"}}),
            ("source_version 0 published, 7 asked for", {"source": {"version": 7}}),
            ("source_id", {"source": {"table": "other"}}),
        )
        for said, groups in asked:
            with pytest.raises(PinsConflict, match=said):
                run(world, world.settings(**groups))

    def test_a_replacement_with_another_threshold_predicts_nothing(self, world: World) -> None:
        begin(world)
        report = run(world, world.settings(output={"threshold": 0.3}), replace=True)
        assert (report.status, report.revision, report.model_loads, report.transport) == ("published", 2, 0, None)
        seen = world.predictions()
        assert seen["label"].tolist() == (seen["prediction"] >= 0.3).astype(int).tolist()
        assert set(seen["run_id"]) == {report.run_id}
        assert set(seen["label"]) == {0, 1}

    def test_a_replacement_supersedes_with_vanished_keys_and_leaves_other_as_ofs(self, world: World) -> None:
        other = begin(world, as_of="2013-12-30")
        begin(world)
        world.write_source(source_rows(20, first=50))
        world.registry.alias(2)
        report = run(world, replace=True)
        assert (report.status, report.revision) == ("published", 2)
        assert report.rows_removed == 50
        assert_published(world, report, source_rows(20, first=50), version=2)
        assert_published(world, other, source_rows(), as_of="2013-12-30")
        assert run(world).status == "already_published"

    def test_rows_that_are_deleted_upstream_stay_published_until_the_as_of_is_replaced_and_are_marked_by_a_later_one(
        self, world: World
    ) -> None:
        first = begin(world)
        assert first.rows_removed == 0
        DeltaTable.forPath(world.spark, world.path("flights")).delete("id < 50")
        kept = run(world)
        assert (kept.status, kept.newer) == ("already_published", {"source_version": 1})
        assert_published(world, first, source_rows())
        later = run(world, as_of="2014-01-01")
        latest = latest_predictions(world.table(), keys=["id"]).where(F.col("as_of") < "2014-01-01").collect()
        assert sorted(row["id"] for row in latest) == list(range(50))
        replaced = run(world, replace=True)
        assert (replaced.rows_removed, replaced.rows_scored) == (50, 10)
        assert_published(world, replaced, source_rows(10, first=50))
        assert_published(world, later, source_rows(10, first=50), as_of="2014-01-01")
        details = world.table("predictions_runs").where("event = 'published' and revision = 2").collect()[0]["details"]
        assert json.loads(details)["rows_removed"] == 50

    def test_emptied_run_events_are_noticed_and_recorded_again(self, world: World) -> None:
        first, version = begin(world), world.version()
        DeltaTable.forPath(world.spark, world.path("predictions_runs")).delete()
        again = run(world)
        assert (again.status, again.run_id, again.model_loads) == ("already_published", first.run_id, 0)
        assert "not in the run events" in again.warnings[0]
        assert world.events() == ["published"]
        assert world.version() == version
        assert run(world).warnings == ()

    @pytest.mark.parametrize("condition", [None, "id = 7"])
    def test_an_emptied_table_is_an_error_until_forced(self, world: World, condition: str | None) -> None:
        begin(world)
        DeltaTable.forPath(world.spark, world.path("predictions")).delete(condition)
        with pytest.raises(TableChanged, match="changed by someone else"):
            run(world)
        report = run(world, force=True)
        assert (report.status, report.revision, report.chunks_reused, report.model_loads) == ("published", 2, 1, 0)
        assert_published(world, report, source_rows())

    def test_emptied_table_and_events_are_still_noticed(self, world: World) -> None:
        begin(world)
        DeltaTable.forPath(world.spark, world.path("predictions")).delete()
        DeltaTable.forPath(world.spark, world.path("predictions_runs")).delete()
        with pytest.raises(TableChanged):
            run(world)
        assert run(world, force=True).status == "published"

    def test_rows_that_nobody_can_explain_are_an_error(self, world: World) -> None:
        begin(world)
        DeltaTable.forPath(world.spark, world.path("predictions")).update(set={"run_id": F.lit("someone")})
        with pytest.raises(TableChanged, match="neither the run events nor the table's history"):
            run(world)


class TestResuming:
    def broken(self, world: World, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        def fails(*_: object, **__: object) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(page, "ensure_table", fails)
            with pytest.raises(type(error)):
                run(world)

    def test_an_attempt_that_may_be_retried_hands_on_its_pins_and_its_stage(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.broken(world, monkeypatch, TemporaryError("gone for now"))
        world.registry.alias(2)
        world.write_source(source_rows(3))
        report = run(world)
        assert (report.attempt, report.chunks_reused, report.model_loads) == (2, 1, 0)
        assert_published(world, report, source_rows())

    def test_a_restart_resolves_anew(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.broken(world, monkeypatch, TemporaryError("gone for now"))
        world.registry.alias(2)
        report = run(world, restart=True)
        assert_published(world, report, source_rows(), version=2)

    def test_a_changed_config_resolves_anew(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.broken(world, monkeypatch, TemporaryError("gone for now"))
        report = run(world, world.settings(source={"passthrough": []}))
        assert (report.status, report.chunks_reused) == ("published", 0)

    def test_an_attempt_that_never_ended_is_closed_as_aborted(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.broken(world, monkeypatch, KeyError("a bug"))
        DeltaTable.forPath(world.spark, world.path("predictions_runs")).delete("event = 'failed'")
        report = run(world)
        assert report.status == "published"
        assert world.events() == ["started", "staged", "aborted", "started", "staged", "published"]

    def test_a_failure_is_recorded_with_its_class_and_carried_by_the_error(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        error = TemporaryError("gone for now")
        self.broken(world, monkeypatch, error)
        assert isinstance(error.report, RunReport)
        assert (error.report.status, error.report.exit_code) == ("failed", 75)
        failed = world.table("predictions_runs").where("event = 'failed'").collect()[0]
        assert (failed["error"], failed["exit_code"]) == ("TemporaryError", 75)

    def test_a_gone_source_version_is_told_with_the_cure(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.broken(world, monkeypatch, TemporaryError("gone for now"))
        shutil.rmtree(world.path("flights"))
        world.write_source(source_rows())
        with pytest.raises(PinsConflict, match="--restart"):
            run(world)
        assert run(world, restart=True).status == "published"

    def test_an_attempt_that_a_later_revision_overtook_ends_well_and_changes_nothing(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def overtaken(*given: Any, **named: Any) -> Any:
            monkeypatch.undo()
            run(world)
            run(world, replace=True)
            return publish_run(*given, **named)

        monkeypatch.setattr(page, "publish_run", overtaken)
        report = run(world)
        assert (report.status, report.exit_code) == ("superseded", 0)
        assert set(world.predictions()["run_id"]) != {report.run_id}
        assert run(world).status == "already_published"


class TestPinsOfOlderVersions:
    """Run events that hold a model's digest by another formula than today's, and stages that are named by it."""

    @contextmanager
    def pinned(self, world: World, monkeypatch: pytest.MonkeyPatch, formula: Callable[[Path], str]) -> Iterator[None]:
        """The block in which attempts pin models by the formula, as an older version did."""

        def older(*parts: Any) -> Pins:
            pins = Pins(*parts)
            return replace(pins, model_digest=formula(world.home / "models" / pins.model_digest))

        with monkeypatch.context() as patch:
            patch.setattr(pinning, "Pins", older)
            yield

    def former(self, folder: Path) -> str:
        found = compute_former_digest(folder)
        assert found is not None
        return found

    def test_an_open_attempt_goes_on_under_its_own_name_and_a_published_one_stays(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with self.pinned(world, monkeypatch, self.former):
            TestResuming().broken(world, monkeypatch, TemporaryError("gone for now"))
        begun = {row["run_id"] for row in world.table("predictions_runs").collect()}
        report = run(world)
        assert (report.chunks_reused, report.model_loads, {report.run_id}) == (1, 0, begun)
        assert_published(world, report, source_rows())
        events = world.table("predictions_runs").where("event = 'published'").collect()
        (copy,) = [one for one in (world.home / "models").iterdir() if one.is_dir()]
        assert [row["model_digest"] for row in events] == [compute_former_digest(copy)] != [copy.name]
        again = run(world, world.settings(profile={"rows": "all"}))
        assert (again.status, again.exit_code, again.run_id, again.warnings) == (
            "already_published",
            0,
            report.run_id,
            (),
        )

    def test_files_that_the_pins_do_not_name_end_the_attempt_with_the_cure(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with self.pinned(world, monkeypatch, lambda _: "0" * 64):
            TestResuming().broken(world, monkeypatch, TemporaryError("gone for now"))
        with pytest.raises(DigestMismatch, match="--restart takes them as they are"):
            run(world)
        assert_published(world, run(world, restart=True), source_rows())

    def test_a_publication_whose_model_is_not_there_any_more_stays_and_says_what_it_lacks(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with self.pinned(world, monkeypatch, lambda _: "0" * 64):
            report = run(world)
        again = run(world, world.settings(profile={"rows": "all"}))
        assert (again.status, again.exit_code, again.run_id) == ("already_published", 0, report.run_id)
        assert any("the run was not monitored" in warning for warning in again.warnings)


class TestGates:
    def test_an_input_gate_that_fails_stops_the_run_before_the_model(self, world: World, tmp_path: Path) -> None:
        broken = suite(
            tmp_path, "in", {"type": "expect_column_values_to_be_between", "kwargs": {"column": "x1", "min_value": 0}}
        )
        with pytest.raises(GateFailed, match="x1"):
            run(world, world.settings(gate={"input": broken, "before": "always"}))
        assert world.version() == -1
        assert world.events() == ["started", "failed"]
        assert not (world.home / "stage").exists()

    def test_an_output_gate_that_fails_keeps_the_stage_and_a_relaxed_one_publishes_it(
        self, world: World, tmp_path: Path
    ) -> None:
        rule: dict[str, Any] = {
            "type": "expect_column_max_to_be_between",
            "kwargs": {"column": "prediction", "max_value": 0.1},
        }
        with pytest.raises(GateFailed, match="prediction"):
            run(world, world.settings(gate={"output": suite(tmp_path, "strict", rule)}))
        assert world.version() == -1
        rule["kwargs"] = {"column": "prediction", "max_value": 1.0}
        report = run(world, world.settings(gate={"output": suite(tmp_path, "relaxed", rule)}))
        assert (report.status, report.chunks_reused, report.model_loads) == ("published", 1, 0)

    def test_a_rule_that_warns_lets_the_run_pass(self, world: World, tmp_path: Path) -> None:
        rule = {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "x1", "min_value": 0},
            "severity": "warning",
        }
        report = run(world, world.settings(gate={"input": suite(tmp_path, "in", rule)}))
        assert report.status == "published"
        assert "x1" in report.warnings[0]

    def test_a_suite_over_columns_that_are_not_there_is_an_error_of_the_config(
        self, world: World, tmp_path: Path
    ) -> None:
        broken = suite(tmp_path, "in", {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "nope"}})
        with pytest.raises(ConfigError, match="nope"):
            run(world, world.settings(gate={"input": broken}))

    def test_an_output_rule_that_does_not_fit_is_found_before_anything_is_scored(
        self, world: World, tmp_path: Path
    ) -> None:
        broken = suite(tmp_path, "out", {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "carrier"}})
        with pytest.raises(ConfigError, match=r"the output gate is broken.*mean_to_be_between\(carrier\)"):
            run(world, world.settings(gate={"output": broken}))
        assert not (world.home / "stage").exists()

    def test_a_rule_of_another_table_and_a_slow_one_are_judged_and_told(self, world: World, tmp_path: Path) -> None:
        path = tmp_path / "out.json"
        rules = [
            {"type": "expect_table_row_count_to_equal_other_table", "kwargs": {"other_table_name": "flights"}},
            {"type": "expect_column_values_to_be_increasing", "kwargs": {"column": "id", "mostly": 0}},
        ]
        path.write_text(json.dumps({"name": "out", "expectations": rules}))
        report = run(world, world.settings(gate={"output": str(path)}))
        assert report.status == "published"
        assert report.warnings == (
            "output gate, slow: expect_column_values_to_be_increasing(id), computed by Great Expectations' own engine",
        )

    def test_a_null_key_is_a_reject_and_the_rest_is_published(self, world: World) -> None:
        rows = source_rows(10)
        extra = pa.table(
            {"id": [None, None], "carrier": ["AA", "UA"], "x1": [1.0, 2.0], "x2": [1.0, 2.0]}, schema=SOURCE
        )
        world.write_source(pa.concat_tables([rows, extra]))
        report = run(world, world.settings(scoring={"max_rejects": 2, "max_reject_ratio": 1}))
        assert (report.rows_read, report.rows_scored, report.rows_rejected) == (12, 10, 2)
        assert_published(world, report, rows)
        rejects = world.table("predictions_rejects").collect()
        assert [(row["key"], row["code"], row["run_id"]) for row in rejects] == [
            ('{"id":null}', "null_key", report.run_id)
        ] * 2

    def test_duplicate_keys_stop_the_run_and_are_named(self, world: World) -> None:
        world.write_source(pa.concat_tables([source_rows(), source_rows(2, first=7)]))
        with pytest.raises(DuplicateKeys, match="id=7"):
            run(world)
        assert world.version() == -1

    def test_an_empty_source_is_no_failure_and_deletes_nothing(self, world: World) -> None:
        first = begin(world)
        report = run(
            world, world.settings(source={"where": [{"column": "id", "op": ">", "value": 1000}]}), as_of="2014-01-31"
        )
        assert (report.status, report.exit_code, report.rows_read) == ("nothing_to_score", 0, 0)
        assert_published(world, first, source_rows())

    def test_an_empty_source_that_was_expected_to_have_rows_breaches_the_sla(self, world: World) -> None:
        world.write_source(source_rows(0))
        report = run(world, world.settings(sla={"completeness": 0.9}))
        assert (report.status, report.exit_code, report.sla_broken) == ("nothing_to_score", 0, ("completeness",))
        assert any("the source has no rows; expected at least 0.9" in text for text in report.warnings)
        failing = world.settings(sla={"completeness": 0.9, "fail": True})
        assert [run(world, failing).exit_code for _ in range(2)] == [5, 5]
        assert (world.version(), world.version("predictions_runs")) == (-1, -1)
        world.write_source(source_rows())
        report = run(world, failing)
        assert report.exit_code == 0
        assert_published(world, report, source_rows())

    def test_an_empty_source_fails_the_gate_that_expects_rows_and_no_rule_about_values(self, world: World) -> None:
        world.write_source(source_rows(0))
        suite = world.home / "suite.json"
        mean = {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "x1", "min_value": -9}}
        count = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}}
        suite.write_text(json.dumps({"name": "s", "expectations": [mean, count]}))
        settings = world.settings(gate={"input": str(suite)})
        with pytest.raises(GateFailed, match="expect_table_row_count_to_be_between") as caught:
            run(world, settings)
        assert caught.value.exit_code == 3
        assert world.events() == ["started", "failed"]
        suite.write_text(json.dumps({"name": "s", "expectations": [mean]}))
        assert run(world, settings).status == "nothing_to_score"
        world.write_source(source_rows())
        assert_published(world, run(world, settings), source_rows())


class TestBadInput:
    @pytest.mark.parametrize(
        ("groups", "kind", "code", "said"),
        [
            ({"model": {"uri": "models:/nobody@champion"}}, ModelNotFound, 4, "nobody"),
            ({"model": {"uri": "models:/late@challenger"}}, ModelNotFound, 4, "champion"),
            ({"model": {"uri": "models:/late/99"}}, ModelNotFound, 4, "99"),
            ({"model": {"uri": "s3://bucket/model"}}, SparkscoreError, None, "models:/"),
            ({"model": {"inputs": {"x1": "nope"}}}, SignatureError, 4, "nope"),
            ({"model": {"inputs": {"x1": "carrier"}}}, SignatureError, 4, "carrier"),
            ({"model": {"inputs": {"x9": "x1"}}}, SignatureError, 4, "x9"),
            ({"model": {"tracking_uri": "http://127.0.0.1:9"}}, RegistryUnreachable, 75, "registry"),
            ({"source": {"keys": ["nope"]}}, ConfigError, 2, "nope"),
            ({"source": {"keys": ["x1"]}}, ConfigError, 2, "x1"),
            ({"source": {"passthrough": ["nope"]}}, ConfigError, 2, "nope"),
            ({"source": {"where": [{"column": "id", "op": "=", "value": "many"}]}}, ConfigError, 2, "many"),
            ({"source": {"table": "nowhere"}}, TableNotFound, 2, "nowhere"),
            ({"source": {"table": "no.where"}}, TableNotFound, 2, "no.where"),
            ({"source": {"table": "my flights"}}, NameRefused, 2, "my flights"),
            ({"source": {"table": "text.`/etc/hostname`"}}, NameRefused, 2, "hostname"),
            ({"source": {"table": "flights; DROP TABLE flights"}}, NameRefused, 2, "DROP"),
            ({"source": {"version": 17}}, ConfigError, 2, "17"),
            ({"output": {"table": "a`b"}}, NameRefused, 2, "a`b"),
            ({"source": {"table": "/proc/sparkscore/flights"}}, TableNotFound, 2, "no Delta table"),
            ({"gate": {"input": "/nowhere/suite.json"}}, ConfigError, 2, "suite.json"),
        ],
    )  # fmt: skip
    def test_it_is_refused_with_the_right_code_and_nothing_is_written(
        self, world: World, groups: dict[str, object], kind: type[SparkscoreError], code: int | None, said: str
    ) -> None:
        with pytest.raises(kind, match=said) as caught:
            run(world, world.settings(**groups))
        assert caught.value.exit_code in (code, 2, 4) if code is None else caught.value.exit_code == code
        assert caught.value.do
        assert world.version() == -1
        assert world.version("predictions_runs") == -1

    def test_a_folder_of_another_format_is_no_table(self, world: World) -> None:
        world.spark.range(3).write.parquet(str(world.home / "parquet"))
        with pytest.raises(TableNotFound, match="no Delta table"):
            run(world, world.settings(source={"table": str(world.home / "parquet")}))

    def test_a_table_of_another_job_is_refused_and_named(self, world: World) -> None:
        begin(world)
        with pytest.raises(ForeignTable, match="late-flights"):
            run(world, world.settings(job="other"))

    def test_a_table_of_nobody_is_refused(self, world: World) -> None:
        world.write_source(source_rows(), name="predictions")
        with pytest.raises(ForeignTable, match="no job"):
            run(world)

    def test_a_place_that_cannot_be_written_is_named(self, world: World) -> None:
        with pytest.raises(AccessDenied, match="/proc"):
            run(world, world.settings(output={"table": "/proc/sparkscore/predictions"}))

    def test_an_as_of_that_is_no_time_is_refused(self, world: World) -> None:
        with pytest.raises(ConfigError, match="ISO"):
            run(world, as_of="yesterday")

    def test_a_pass_through_without_a_zone_would_raise_the_reader_version(self, world: World) -> None:
        frame = world.spark.createDataFrame(source_rows()).withColumn(
            "local", F.lit("2013-01-01").cast("timestamp_ntz")
        )
        frame.write.format("delta").save(world.path("local"))
        with pytest.raises(ConfigError, match="local"):
            run(world, world.settings(source={"table": "local", "passthrough": ["local"]}))

    def test_a_model_that_fails_on_every_row_is_an_error_of_the_model(self, world: World) -> None:
        world.write_source(source_rows().set_column(2, "x1", pa.nulls(60, pa.float64())))
        with pytest.raises(RowsNotPredicted, match="NaN") as caught:
            run(world)
        assert caught.value.exit_code == 4
        assert "failed alone" in caught.value.found
        assert world.events() == ["started", "failed"]
        assert world.version() == -1

    def test_a_row_that_the_model_fails_on_is_a_reject_and_the_rest_is_published(self, world: World) -> None:
        rows = source_rows()
        x1 = [None if place == 7 else value for place, value in enumerate(rows["x1"].to_pylist())]
        world.write_source(rows.set_column(2, "x1", pa.array(x1, pa.float64())))
        report = run(world)
        assert (report.rows_scored, report.rows_rejected) == (59, 1)
        assert_published(world, report, rows.filter(pa.array([place != 7 for place in range(60)])))
        (reject,) = world.table("predictions_rejects").collect()
        assert (reject["key"], reject["code"], reject["error"]) == ('{"id":7}', "predict_failed", "ValueError")
