"""Rejects: listed by run and reason, and scored again with the pins of their run."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkscore import score
from sparkscore.errors import ConfigError, DuplicateKeys, PinsConflict, TemporaryError
from sparkscore.pipelines import rejects as page
from sparkscore.pipelines import score as scoring
from sparkscore.pipelines.rejects import list_rejects, retry_rejects
from sparkscore.pipelines.rollback import rollback
from sparkscore.pipelines.scoring import staging
from sparkscore.pipelines.scoring.transport_choice import scored_frame
from sparkscore.pipelines.shared import publishing
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.publish.publish_run import publish_run
from sparkscore.records import RunReport
from sparkscore.scoring.counters import Counters
from sparkscore.settings import Settings
from sparkscore.stage import reject_repair
from sparkscore.stage.stage_progress import StageProgress
from tests.world import AS_OF, SOURCE, World, assert_published, source_rows

FAILED = (7, 23)
REASON = ("predict_failed", "ImportError", "a package is missing")


def reject(code: str, error: str, message: str) -> Column:
    return F.struct(F.lit(code).alias("code"), F.lit(error).alias("error"), F.lit(message).alias("message"))


def run(world: World, settings: Settings | None = None, **flags: Any) -> RunReport:
    return score(world.spark, settings or world.settings(), as_of=AS_OF, **flags)


def broken(
    world: World, monkeypatch: pytest.MonkeyPatch, *, ids: Sequence[int] = FAILED, settings: Settings | None = None
) -> RunReport:
    """A run in an environment in which these rows cannot be scored: its stage holds them as rejects."""

    key = F.col(f"`{(settings or world.settings()).source.keys[0]}`")

    def staged(attempt: Attempt, plan: Plan, *given: Any) -> StageProgress:
        staging.score_missing_rows(attempt, plan, *given)
        store = attempt.stage_store(plan.run)
        table = DeltaTable.forPath(world.spark, str(store.table.path))
        table.update(key.isin(*ids), {"_reject": reject(*REASON), "prediction": F.lit(None)})
        return store.load_progress()

    with monkeypatch.context() as patch:
        patch.setattr(scoring, "score_missing_rows", staged)
        step = f"broken {sorted(ids)} {settings.source if settings else None}"
        return world.trail.follow(world.home, step, lambda: run(world, settings))


def still_failing(monkeypatch: pytest.MonkeyPatch, *ids: int) -> None:
    """These rows cannot be scored the second time either, for another reason."""

    def scored(*given: Any) -> DataFrame:
        frame, again = scored_frame(*given), F.col("id").isin(*ids)
        failed = F.when(again, reject("batch_timeout", "BatchTimeout", "too slow")).otherwise(F.col("_reject"))
        prediction = F.when(~again, F.col("prediction"))
        return frame.withColumn("_reject", failed).withColumn("prediction", prediction).select(*frame.columns)

    monkeypatch.setattr(page, "scored_frame", scored)


def again(world: World, report: RunReport, settings: Settings | None = None) -> RunReport:
    return retry_rejects(world.spark, settings or world.settings(), run=str(report.run_id)[:12])


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Counters]:
    """The counters of retries to come."""
    made: list[Counters] = []

    def counters(spark: Any) -> Counters:
        made.append(Counters(spark))
        return made[-1]

    monkeypatch.setattr(page, "Counters", counters)
    return made


class TestListing:
    def test_rejects_are_counted_by_run_and_reason(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        extra = pa.table({"id": [None], "carrier": ["AA"], "x1": [1.0], "x2": [1.0]}, schema=SOURCE)
        world.write_source(pa.concat_tables([source_rows(), extra]))
        report = broken(world, monkeypatch)
        found = list_rejects(world.spark, world.settings())
        assert {(one.run_id, one.code, one.error, one.rows) for one in found} == {
            (report.run_id, "predict_failed", "ImportError", 2),
            (report.run_id, "null_key", None, 1),
        }
        assert {one.as_of.isoformat() for one in found} == {"2013-12-31T00:00:00+00:00"}

    def test_a_job_without_rejects_has_none(self, world: World) -> None:
        world.begin_with()
        assert list_rejects(world.spark, world.settings()) == []


class TestRetrying:
    def test_rejected_rows_are_scored_and_all_rows_published_as_the_next_revision(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = broken(world, monkeypatch)
        assert (first.rows_scored, first.rows_rejected) == (58, 2)
        report = again(world, first)
        assert (report.status, report.exit_code, report.revision) == ("published", 0, 2)
        assert (report.rows_read, report.rows_scored, report.rows_rejected) == (60, 60, 0)
        assert_published(world, report, source_rows())

    @pytest.mark.smoke
    def test_only_the_rejected_rows_go_to_the_model_and_each_of_them_once(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, counters = broken(world, monkeypatch), counted(monkeypatch)
        again(world, first)
        assert [one.rows for one in counters] == [2]

    def test_model_and_source_are_those_of_the_run(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        first = broken(world, monkeypatch)
        world.registry.alias(2)
        world.write_source(source_rows(60, first=30))
        report = again(world, first)
        assert_published(world, report, source_rows(), version=1)
        assert (report.model, report.source) == (first.model, first.source)
        assert run(world).status == "already_published"

    def test_it_is_one_commit_in_the_stage_and_one_in_the_table(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = broken(world, monkeypatch)
        stage = next((world.home / "stage").rglob("_delta_log"))
        commits = [len(list(log.glob("*.json"))) for log in (stage, Path(world.path("predictions"), "_delta_log"))]
        again(world, first)
        now = [len(list(log.glob("*.json"))) for log in (stage, Path(world.path("predictions"), "_delta_log"))]
        assert now == [count + 1 for count in commits]

    def test_rows_that_fail_again_stay_rejects_with_the_new_reason(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = broken(world, monkeypatch)
        still_failing(monkeypatch, 23)
        report = again(world, first)
        assert (report.status, report.rows_scored, report.rows_rejected) == ("published", 59, 1)
        kept = world.table("predictions_rejects").where(f"run_id = '{report.run_id}'").collect()
        assert [(row["key"], row["code"], row["error"]) for row in kept] == [
            ('{"id":23}', "batch_timeout", "BatchTimeout")
        ]

    def test_when_none_can_be_scored_nothing_is_published_and_it_can_be_tried_again(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, before = broken(world, monkeypatch), world.version()
        with monkeypatch.context() as patch:
            still_failing(patch, *FAILED)
            report = again(world, first)
        assert (report.status, report.exit_code, report.rows_scored) == ("nothing_to_score", 0, 58)
        assert world.version() == before
        settled = run(world)
        assert (settled.status, settled.run_id, settled.warnings) == ("already_published", first.run_id, ())
        assert_published(world, again(world, first), source_rows())

    def test_a_null_key_cannot_be_retried(self, world: World) -> None:
        extra = pa.table({"id": [None], "carrier": ["AA"], "x1": [1.0], "x2": [1.0]}, schema=SOURCE)
        world.write_source(pa.concat_tables([source_rows(20), extra]))
        first = run(world)
        before = world.version()
        report = again(world, first)
        assert (report.status, report.rows_rejected, world.version()) == ("nothing_to_score", 1, before)

    def test_keys_with_dots_and_quotes_are_keys_like_others(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.write_source(source_rows().rename_columns(["the.key", "it's", "x1", "x2"]))
        settings = world.settings(source={"keys": ["the.key"], "passthrough": ["it's"]})
        first = broken(world, monkeypatch, settings=settings)
        report = again(world, first, settings)
        assert (report.status, report.rows_scored) == ("published", 60)

    def test_what_a_rollback_shows_can_be_retried_too(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        again(world, broken(world, monkeypatch))
        shown, _ = rollback(world.spark, world.settings(), as_of=AS_OF)
        assert (shown.rows_scored, shown.rows_rejected) == (58, 2)
        assert_published(world, again(world, shown), source_rows())


class TestRefusals:
    @pytest.mark.parametrize("run_id", ["ffffffffffff", "short"])
    def test_a_run_that_is_not_there_is_an_error(self, world: World, run_id: str) -> None:
        first = run(world)
        with pytest.raises(ConfigError, match=str(first.run_id)[:12]):
            retry_rejects(world.spark, world.settings(), run=run_id)

    def test_a_run_that_readers_do_not_see_is_an_error_that_names_theirs(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = broken(world, monkeypatch)
        second = run(world, replace=True)
        with pytest.raises(ConfigError, match=str(second.run_id)[:12]):
            again(world, first)

    def test_a_stage_that_was_removed_is_told_with_the_cure(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = broken(world, monkeypatch)
        shutil.rmtree(world.home / "stage")
        with pytest.raises(ConfigError, match=r"stage of run .* was removed[^*]*score --replace"):
            again(world, first)

    def test_other_pins_are_refused_with_the_cure(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        first = broken(world, monkeypatch)
        with pytest.raises(PinsConflict, match=r"model_version 1 published, 2 asked for[^*]*score --replace"):
            again(world, first, world.settings(model={"uri": "models:/late/2"}))

    def test_a_source_version_that_is_gone_is_told_with_the_cure(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, before = broken(world, monkeypatch), world.version()
        for file in Path(world.path("flights")).glob("*.parquet"):
            file.unlink()
        with pytest.raises(ConfigError, match=r"gone[^*]*score --replace"):
            again(world, first)
        assert world.version() == before

    def test_a_key_that_is_there_twice_is_not_guessed(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.write_source(pa.concat_tables([source_rows(), source_rows(1, first=7)]))
        first, before = broken(world, monkeypatch, ids=[7]), world.version()
        with pytest.raises(DuplicateKeys, match="1 rejected keys on 2 rows"):
            again(world, first)
        assert world.version() == before


def before_it(step: Callable[..., Any]) -> Callable[..., Any]:
    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    return dies


def after_it(step: Callable[..., Any]) -> Callable[..., Any]:
    def dies(*given: Any, **named: Any) -> None:
        step(*given, **named)
        raise KeyboardInterrupt

    return dies


class TestKilled:
    """Of a KeyboardInterrupt the run events know as little as of a kill."""

    def killed(
        self, world: World, monkeypatch: pytest.MonkeyPatch, where: tuple[Any, str], moment: Any = before_it
    ) -> RunReport:
        module, step = where
        first = broken(world, monkeypatch)
        with monkeypatch.context() as patch:
            patch.setattr(module, step, moment(getattr(module, step)))
            with pytest.raises(KeyboardInterrupt):
                again(world, first)
        return first

    @pytest.mark.parametrize(
        ("where", "moment", "predicted"),
        [
            ((page, "pin_run"), after_it, 2),
            ((reject_repair, "replace_rejected_rows"), before_it, 2),
            ((reject_repair, "replace_rejected_rows"), after_it, 0),
            ((page, "publish_stage"), before_it, 0),
            ((publishing, "publish_run"), before_it, 0),
        ],
    )
    def test_before_its_commit_the_same_command_finishes_it(
        self, world: World, monkeypatch: pytest.MonkeyPatch, where: tuple[Any, str], moment: Any, predicted: int
    ) -> None:
        first = self.killed(world, monkeypatch, where, moment)
        assert set(world.predictions()["run_id"]) == {first.run_id}
        before, counters = world.version(), counted(monkeypatch)
        report = again(world, first)
        assert (report.status, report.revision, world.version()) == ("published", 2, before + 1)
        assert sum(one.rows for one in counters) == predicted
        assert_published(world, report, source_rows())

    def test_after_its_commit_the_same_command_finds_it_done(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = self.killed(world, monkeypatch, (publishing, "finish_publication"))
        before = world.version()
        report = again(world, first)
        assert (report.status, report.revision, world.version()) == ("already_published", 2, before)
        assert_published(world, report, source_rows())

    def test_a_score_in_between_leaves_readers_what_they_see_and_says_so(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = self.killed(world, monkeypatch, (publishing, "publish_run"))
        settled = run(world)
        assert (settled.status, settled.run_id) == ("already_published", first.run_id)
        assert "an attempt of `rejects` started revision 2 and did not finish" in settled.warnings[0]
        assert_published(world, again(world, first), source_rows())

    def test_rejects_of_an_attempt_that_had_staged_are_those_that_are_published(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = broken(world, monkeypatch)
        with monkeypatch.context() as patch:
            still_failing(patch, 23)
            patch.setattr(publishing, "publish_run", before_it(publish_run))
            with pytest.raises(KeyboardInterrupt):
                again(world, first)
        report = again(world, first)
        assert (report.rows_scored, report.rows_rejected) == (59, 1)
        assert [one.rows for one in list_rejects(world.spark, world.settings()) if one.run_id == report.run_id] == [1]
        assert_published(world, again(world, report), source_rows())

    def test_a_failure_that_a_retry_may_help_is_retried(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_: object, **__: object) -> None:
            raise TemporaryError("gone for now")

        first = broken(world, monkeypatch)
        with monkeypatch.context() as patch:
            patch.setattr(publishing, "publish_run", away)
            with pytest.raises(TemporaryError):
                again(world, first)
        assert_published(world, again(world, first), source_rows())
