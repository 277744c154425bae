"""What is done after a publication: profiles, drift, promises, and their exit code; none of it harms the run."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Event
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
import pytest
from mlflow import MlflowClient
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from mlflow.data.pandas_dataset import from_pandas
from mlflow.models import infer_signature
from pyspark.sql import functions as F

from sparkscore import score
from sparkscore.errors import ConfigError, DeadlinePassed, GateFailed, TooManyRejects
from sparkscore.monitor.mlflow_run import RUN_TAG
from sparkscore.pipelines.check_sla import check_sla
from sparkscore.pipelines.monitoring import run_monitoring
from sparkscore.pipelines.report import write_job_report, write_run_report
from sparkscore.pipelines.rollback import rollback
from sparkscore.pipelines.shared import publishing
from sparkscore.records import RunReport
from sparkscore.settings import Settings
from tests.world import UNWATCHED, World, source_rows, tracking

FIRST, SECOND, THIRD = "2013-12-29", "2013-12-30", "2013-12-31"
ROWS = 1_000


def shifted(rows: pa.Table, by: float) -> pa.Table:
    moved = pa.array(rows["x1"].to_numpy() + by)
    return rows.set_column(rows.schema.get_field_index("x1"), "x1", moved)


def watching_settings(world: World, **groups: Any) -> Settings:
    return world.settings(**({"profile": {"rows": 1_000_000}} | groups))


def run(world: World, as_of: str = FIRST, **groups: Any) -> RunReport:
    return score(world.spark, watching_settings(world, **groups), as_of=as_of)


def begin(world: World, as_of: str = FIRST, *, replace: bool = False, **groups: Any) -> RunReport:
    return world.begin_with(watching_settings(world, **groups), as_of=as_of, replace=replace)


@pytest.fixture
def flights(world: World) -> World:
    """A source with rows enough for alerts."""
    world.write_source(source_rows(ROWS))
    return world


def profile(world: World, **wanted: Any) -> dict[str, Any]:
    frame = world.table("predictions_profile")
    for name, value in wanted.items():
        frame = frame.where(F.col(name).isNull() if value is None else F.col(name) == F.lit(value))
    rows = frame.collect()
    assert len(rows) == 1
    return dict(rows[0].asDict(recursive=True))


def drifted(world: World, as_of: str, kind: str = "CONSECUTIVE") -> list[str]:
    frame = world.table("predictions_drift").where(f"drifted and drift_type = '{kind}' and slice_key is null")
    return sorted(row["column_name"] for row in frame.where(f"as_of_date = '{as_of}'").collect())


class TestProfile:
    def test_it_holds_inputs_and_predictions_and_those_of_segments(self, flights: World) -> None:
        report = run(flights, profile={"rows": "all", "segments": ["carrier"]})
        rows = source_rows(ROWS)
        found = profile(flights, column_name="x1", slice_key=None)
        assert (found["count"], found["num_nulls"], found["sampled_share"]) == (ROWS, 0, 1.0)
        assert found["avg"] == pytest.approx(np.mean(rows["x1"].to_numpy()))
        assert found["run_id"] == report.run_id
        predicted = profile(flights, column_name="prediction", slice_key=None)
        assert predicted["log_type"] == "prediction"
        expected = flights.registry.expected(rows)
        assert predicted["avg"] == pytest.approx(expected.mean())
        assert predicted["median"] == pytest.approx(np.median(expected), abs=0.01)
        label = profile(flights, column_name="label", slice_key=None)
        assert label["avg"] == pytest.approx((expected >= 0.5).mean())
        found = profile(flights, column_name="prediction", slice_key="carrier", slice_value="AA")
        assert found["count"] == ROWS // 2
        assert found["avg"] == pytest.approx(expected[::2].mean())

    def test_a_sample_takes_a_share_of_each_row_group_and_the_same_rows_each_time(self, flights: World) -> None:
        run(flights, profile={"rows": 100})
        run(flights, SECOND, profile={"rows": 100})
        found = flights.table("predictions_profile").where("column_name = 'x1'").orderBy("as_of").collect()
        assert 100 <= found[0]["count"] <= 110
        assert found[0]["sampled_share"] == found[0]["count"] / ROWS
        assert found[0]["points"] == found[1]["points"]
        assert profile(flights, column_name="prediction", as_of_date=date(2013, 12, 29))["count"] == ROWS

    def test_what_only_spark_reads_is_sampled_through_spark(self, flights: World) -> None:
        flights.spark.sql(
            f"ALTER TABLE delta.`{flights.path('flights')}` SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"
        )
        run(flights, profile={"rows": 200})
        found = profile(flights, column_name="x1")
        assert 120 <= found["count"] <= 280  # by hash: about a fifth
        assert profile(flights, column_name="prediction")["count"] == ROWS

    def test_sensitive_columns_and_rejected_rows_are_left_out(self, flights: World) -> None:
        rows = source_rows(ROWS)
        keys = pa.array([None, *rows["id"].to_pylist()[1:]], pa.int64())
        flights.write_source(rows.set_column(0, "id", keys))
        run(flights, source={"sensitive": ["x1"]})
        names = {row["column_name"] for row in flights.table("predictions_profile").collect()}
        assert names == {"x2", "prediction", "label"}
        assert profile(flights, column_name="prediction")["count"] == ROWS - 1

    def test_a_segment_that_readers_do_not_see_is_refused(self, world: World) -> None:
        with pytest.raises(ValueError, match=r"neither keys nor in source\.passthrough: x1"):
            world.settings(profile={"segments": ["x1"]})
        with pytest.raises(ValueError, match="sensitive"):
            world.settings(profile={"segments": ["carrier"]}, source={"sensitive": ["carrier"]})


class TestDrift:
    def test_a_shift_against_the_run_before_is_told(self, flights: World) -> None:
        assert begin(flights).drifted is None
        assert run(flights, SECOND).drifted == 0
        flights.write_source(shifted(source_rows(ROWS), 2.0))
        report = run(flights, THIRD)
        assert report.drifted == len(drifted(flights, THIRD))
        assert drifted(flights, THIRD) == ["label", "prediction", "x1"]
        assert report.exit_code == 0
        assert any(one.startswith("drift against run ") and "x1 (psi" in one for one in report.warnings)

    def test_it_ends_with_5_where_it_is_binding_and_a_retry_gets_the_same(self, flights: World) -> None:
        begin(flights)
        flights.write_source(shifted(source_rows(ROWS), 2.0))
        report = run(flights, SECOND, drift={"fail": True})
        assert (report.status, report.exit_code) == ("published", 5)
        version = flights.version()
        again = run(flights, SECOND, drift={"fail": True})
        assert (again.status, again.exit_code, again.drifted) == ("already_published", 5, report.drifted)
        assert flights.version() == version

    def test_a_named_run_is_a_baseline(self, flights: World) -> None:
        first = begin(flights)
        flights.write_source(shifted(source_rows(ROWS), 2.0))
        begin(flights, SECOND)
        run(flights, THIRD, drift={"baseline": str(first.run_id)[:12]})
        assert drifted(flights, THIRD) == []
        assert drifted(flights, THIRD, "BASELINE") == ["label", "prediction", "x1"]

    def test_a_window_of_runs_is_a_baseline(self, flights: World) -> None:
        begin(flights)
        flights.write_source(shifted(source_rows(ROWS), 2.0))
        begin(flights, SECOND)
        run(flights, THIRD, drift={"baseline": f"{FIRST}/{SECOND}"})
        found = flights.table("predictions_drift").where("drift_type = 'BASELINE' and column_name = 'x1'").collect()
        assert found[0]["count_cmp"] == 2 * ROWS
        assert found[0]["against"] == f"2 runs from {FIRST} to {SECOND}"

    def test_after_a_rollback_the_next_run_is_compared_with_what_readers_see(self, flights: World) -> None:
        begin(flights)
        flights.write_source(shifted(source_rows(ROWS), 2.0))
        settings = watching_settings(flights)
        begin(flights, replace=True)
        back, _ = rollback(flights.spark, settings, as_of=FIRST)
        run(flights, SECOND)
        assert drifted(flights, SECOND) == ["label", "prediction", "x1"]
        against = flights.table("predictions_drift").where(f"as_of_date = '{SECOND}'").collect()[0]["against"]
        assert against == f"run {str(back.run_id)[:12]} of 2013-12-29T00:00:00Z"
        page = write_run_report(flights.spark, settings, run=str(back.run_id))
        assert f"{ROWS:,} predictions" in Path(page).read_text()

    def test_a_missing_baseline_leaves_the_comparison_with_the_run_before(self, flights: World) -> None:
        begin(flights)
        flights.write_source(shifted(source_rows(ROWS), 2.0))
        report = run(flights, SECOND, drift={"baseline": "00000000"})
        assert drifted(flights, SECOND) == ["label", "prediction", "x1"]
        assert report.drifted == 3
        assert any(one.startswith("no drift: no run 00000000") for one in report.warnings)

    def test_a_baseline_that_is_not_there_is_a_warning_and_binding_where_drift_is(self, world: World) -> None:
        wanted = {
            "2010-01-01/2010-02-01": "no run was published for an as_of in drift.baseline",
            "00000000": "no run 00000000",
            "model": "no Delta tables logged as training data of late version 1",
        }
        for day, (baseline, told) in enumerate(wanted.items(), start=1):
            report = run(world, f"2013-12-0{day}", drift={"baseline": baseline, "fail": day > 1})
            assert report.exit_code == (5 if day > 1 else 0)
            assert any(one.startswith("no drift: ") and told in one for one in report.warnings)

    def test_training_data_that_was_logged_with_the_model_is_a_baseline_read_once(self, flights: World) -> None:
        flights.write_source(shifted(source_rows(ROWS), 3.0), name="trained_on")
        frame, fitted = source_rows(5).to_pandas()[["x1", "x2"]], flights.registry.models[0]
        with tracking(flights.registry.uri), mlflow.start_run():
            source = DeltaDatasetSource(path=flights.path("trained_on"), delta_table_version=None)
            mlflow.log_input(from_pandas(frame, source=source), context="training")
            mlflow.sklearn.log_model(
                fitted,
                name="trained",
                signature=infer_signature(frame, fitted.predict_proba(frame)),
                pyfunc_predict_fn="predict_proba",
                registered_model_name="trained",
                pip_requirements=[],
            )
        model = {"uri": "models:/trained/1"}
        closed = run(flights, "2013-12-01", drift={"baseline": "model"}, model={**model, "trust": {"tables": []}})
        assert any(one.startswith("no drift: the author of the model names ") for one in closed.warnings)
        assert not flights.table("predictions_profile").where("granularity = 'baseline'").count()
        first = run(flights, drift={"baseline": "model"}, model=model)
        assert any("which the author of the model named" in one for one in first.warnings)
        assert drifted(flights, FIRST, "BASELINE") == ["x1"]
        table = flights.table("predictions_profile").where("granularity = 'baseline'")
        assert sorted(row["column_name"] for row in table.collect()) == ["x1", "x2"]
        run(flights, SECOND, drift={"baseline": "model"}, model=model)
        assert drifted(flights, SECOND, "BASELINE") == ["x1"]
        assert table.count() == 2


class TestPromises:
    def test_a_broken_one_is_told_and_binding_where_the_config_says_so(self, world: World) -> None:
        promised = {"published_within_hours": 1, "source_age_hours": 1, "completeness": 0.5, "fail": True}
        again = run(world, SECOND, sla=promised, profile={"rows": "none"})
        assert (again.exit_code, again.sla_broken) == (5, ("published within",))
        retried = run(world, SECOND, sla=promised, profile={"rows": "none"})
        assert (retried.exit_code, retried.sla_broken) == (5, ("published within",))

    def test_check_sla_finds_what_score_found_and_the_run_that_never_started(self, world: World) -> None:
        world.begin_with(as_of=FIRST)
        settings = world.settings(sla={"published_within_hours": 1, "every_hours": 24, "source_age_hours": 1})
        rules = check_sla(world.spark, settings, now=datetime(2013, 12, 31, 2, tzinfo=UTC))
        assert [(one.rule, one.kept) for one in rules] == [
            ("run of 2013-12-30T00:00:00Z", False),
            ("run of 2013-12-31T00:00:00Z", False),
            ("published within", False),
            ("age of the source", True),
        ]
        assert [one.rule for one in check_sla(world.spark, settings, as_of=FIRST)] == [
            "published within",
            "age of the source",
        ]

    def test_check_sla_finds_a_job_that_never_ran(self, world: World) -> None:
        rules = check_sla(world.spark, world.settings(sla={"published_within_hours": 1}))
        assert [(one.kept, one.observed) for one in rules] == [(False, "no run of the job has started yet")]

    def test_check_sla_without_a_promise_is_refused(self, world: World) -> None:
        with pytest.raises(ConfigError, match="no rule in sla"):
            check_sla(world.spark, world.settings())


class TestNoHarm:
    def test_a_profile_table_of_another_job_is_a_warning(self, flights: World) -> None:
        score(flights.spark, watching_settings(flights, job="other"), as_of=FIRST)
        Path(flights.path("predictions")).rename(flights.path("gone"))
        Path(flights.path("predictions_runs")).rename(flights.path("gone_runs"))
        report = run(flights)
        assert report.status == "published"
        assert any(one.startswith("no profile: ") and "belongs to the job other" in one for one in report.warnings)

    def test_a_page_that_fails_is_a_warning(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        def failing(*_: Any) -> str:
            raise RuntimeError("no chart")

        monkeypatch.setattr(run_monitoring, "write_run_page", failing)
        report = run(world, monitor={"report": True, "mlflow": False}, profile={"rows": "none"})
        assert (report.status, report.report) == ("published", None)
        assert "no report: no chart" in report.warnings
        assert world.events() == ["started", "staged", "published", "monitored"]
        again = run(world, monitor={"report": True, "mlflow": False}, profile={"rows": "none"})
        assert (again.status, again.report) == ("already_published", None)

    def test_a_slow_page_holds_the_run_for_a_limited_time(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        over = Event()
        monkeypatch.setattr(run_monitoring, "_PAGE_S", 0.05)
        monkeypatch.setattr(run_monitoring, "write_run_page", lambda *_: over.wait(60))
        report = run(world, monitor={"report": True, "mlflow": False}, profile={"rows": "none"})
        over.set()
        assert (report.status, report.report) == ("published", None)
        assert "no report: it still runs after 0.05 s" in report.warnings

    def test_what_decides_the_exit_code_is_recorded_before_pages_and_mlflow(
        self, flights: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        watched: dict[str, Any] = {"drift": {"fail": True}, "monitor": {"report": True, "mlflow": True}}
        run(flights)
        flights.write_source(shifted(source_rows(ROWS), 2.0))

        def killed(*_: Any, **__: Any) -> str:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(run_monitoring, "_write_page_in_time", killed)
            with pytest.raises(KeyboardInterrupt):
                run(flights, SECOND, **watched)
        again = run(flights, SECOND, **watched)
        assert (again.status, again.exit_code, again.report) == ("already_published", 5, None)
        page = write_run_report(flights.spark, watching_settings(flights), run=str(again.run_id))
        assert run(flights, SECOND, **watched).report == page

    def test_an_attempt_that_died_before_its_monitoring_is_made_up_for(
        self, flights: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(publishing, "monitor_run", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                run(flights)
        report = run(flights)
        assert report.status == "already_published"
        assert profile(flights, column_name="prediction")["run_id"] == report.run_id
        events = flights.events()
        assert events == ["started", "staged", "published", "monitored"]
        run(flights)
        assert flights.events() == events

    def test_nothing_asked_for_is_nothing_done(self, world: World) -> None:
        world.begin_with(as_of=FIRST)
        assert world.events() == ["started", "staged", "published"]
        assert not Path(world.path("predictions_profile")).exists()


class TestPages:
    def test_a_run_has_a_page_and_its_job_too(self, flights: World) -> None:
        settings: dict[str, Any] = {"monitor": {"report": True, "mlflow": False}}
        report = run(flights, **settings)
        page = Path(str(report.report))
        assert page == flights.home / "reports" / "late-flights" / f"{report.run_id}.html"
        assert str(report.run_id) in page.read_text()
        assert (page.parent / "index.html").is_file()
        assert run(flights, **settings).report == report.report

    def test_a_page_is_made_anew_from_the_tables(self, flights: World) -> None:
        report = run(flights, monitor={"report": True, "mlflow": False})
        page = Path(str(report.report))
        page.unlink()
        settings = watching_settings(flights)
        assert write_run_report(flights.spark, settings, run=str(report.run_id)[:8]) == str(page)
        assert str(report.run_id) in page.read_text()
        assert write_job_report(flights.spark, settings) == str(page.parent / "index.html")

    def test_a_failed_run_has_a_page_on_request(self, world: World) -> None:
        settings = world.settings(scoring={"max_rejects": 0, "max_reject_ratio": 1})
        rows = source_rows()
        world.write_source(rows.set_column(0, "id", pa.array([None, *rows["id"].to_pylist()[1:]], pa.int64())))
        with pytest.raises(TooManyRejects) as failed:
            score(world.spark, settings, as_of=FIRST)
        found = failed.value.report
        assert isinstance(found, RunReport)
        where = write_run_report(world.spark, settings, run=str(found.run_id))
        assert "TooManyRejects" in Path(where).read_text()

    def test_the_page_of_a_run_past_its_deadline_says_that_a_retry_helps(self, world: World) -> None:
        settings = world.settings(scoring={"deadline": 1e-6})
        with pytest.raises(DeadlinePassed) as failed:
            score(world.spark, settings, as_of=FIRST)
        assert isinstance(failed.value.report, RunReport)
        said = Path(write_run_report(world.spark, settings, run=str(failed.value.report.run_id))).read_text()
        assert "exit code 75" in said
        assert "A retry may help." in said

    def test_a_run_that_is_not_there_is_refused(self, world: World) -> None:
        with pytest.raises(ConfigError, match="has no run yet"):
            write_run_report(world.spark, world.settings(), run="0" * 12)


class TestMlflow:
    def test_a_scoring_run_is_a_run_of_mlflow_with_its_model_and_source(self, flights: World) -> None:
        report = run(flights, monitor={"report": True, "mlflow": True})
        client = MlflowClient(flights.registry.uri)
        experiment: Any = client.get_experiment_by_name("sparkscore/late-flights")
        found: list[Any] = client.search_runs([experiment.experiment_id], f"tags.`{RUN_TAG}` = '{report.run_id}'")
        assert len(found) == 1
        assert found[0].data.metrics["rows_scored"] == ROWS
        assert found[0].data.params["model_version"] == "1"
        inputs: Any = client.get_run(found[0].info.run_id).inputs
        assert [one.model_id for one in inputs.model_inputs] == [report.model and report.model.model_id]
        source = json.loads(inputs.dataset_inputs[0].dataset.source)
        assert source["delta_table_version"] == (report.source and report.source.version)
        names = [one.path for one in client.list_artifacts(found[0].info.run_id)]
        assert names == [f"{report.run_id}.html"]

    def test_a_registry_that_does_not_take_it_is_a_warning(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        def failing(*_: Any, **__: Any) -> str:
            raise RuntimeError("no server")

        monkeypatch.setattr(run_monitoring, "log_run", failing)
        report = run(world, monitor={"report": False, "mlflow": True}, profile={"rows": "none"})
        assert (report.status, "no MLflow run: no server" in report.warnings) == ("published", True)


def test_what_workers_did_is_in_the_report_and_the_events(world: World) -> None:
    report = world.begin_with(as_of=FIRST)
    assert report.executors["rows"] == 60
    assert report.executors["batches"] >= 1
    assert 0 < report.executors["batch_p50_s"] <= report.executors["batch_p99_s"]
    assert report.executors["cpu_s"] > 0
    details = world.table("predictions_runs").where("event = 'published'").collect()[0]["details"]
    assert json.loads(details)["executors"] == report.executors


def test_a_failed_gate_is_no_monitored_run(world: World, tmp_path: Path) -> None:
    suite = tmp_path / "suite.json"
    rule = {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 1}}
    suite.write_text(json.dumps({"name": "s", "expectations": [rule]}))
    with pytest.raises(GateFailed):
        run(world, gate={"input": str(suite)})
    assert "monitored" not in world.events()
    assert UNWATCHED["profile"] == {"rows": "none"}
