"""Shadows: scored beside production, compared with it, and never seen by anybody who reads production."""

import hashlib
import json
from contextlib import AbstractContextManager, nullcontext
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from sparkscore import rollback, score
from sparkscore.errors import ConfigError, GateFailed, PinsConflict, TemporaryError
from sparkscore.pipelines.comparison.shadow_limits import judge_shadow
from sparkscore.pipelines.score_shadow import score_shadow
from sparkscore.pipelines.shared import publishing
from sparkscore.pipelines.shared.shadow_job import to_shadow_settings
from sparkscore.records import ModelAgreement, RunReport, ShadowReport
from sparkscore.settings import Settings
from sparkscore.settings.layers import iterate_setting_fields
from sparkscore.settings.shadow_settings import ShadowSettings
from tests.world import AS_OF, MODEL, World, source_rows


def versions(world: World) -> dict[str, int]:
    """Of production's tables, and of the source."""
    folders = sorted((world.home / "tables").glob("*/_delta_log"))
    names = [folder.parent.name for folder in folders if "_shadow" not in folder.parent.name]
    return {name: world.version(name) for name in names}


def files(world: World) -> set[str]:
    """What lies in production's stage."""
    stage = world.home / "stage"
    return {str(file.relative_to(stage)) for file in stage.rglob("*") if "shadow" not in file.relative_to(stage).parts}


QUEUE = {"top": 5, "by": "prediction"}


def contents(*folders: Path) -> dict[Path, str]:
    """Every file below these folders, and what is in it."""
    found = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in found}


def is_shadows(file: Path) -> bool:
    """Whether a file is one of a shadow, or a private copy of a model, which is what it is for everybody."""
    return any("shadow" in part or part == "models" for part in file.parts)


def test_an_equal_shadow_differs_in_nothing_and_leaves_production_untouched(world: World) -> None:
    published = world.begin_with()
    before, staged = versions(world), files(world)
    report = score_shadow(world.spark, world.settings(), as_of=AS_OF)
    assert (report.status, report.exit_code, report.job, report.rules) == ("compared", 0, "late-flights", ())
    assert report.agreement is not None
    assert (report.agreement.rows, report.agreement.equal_share) == (60, 1.0)
    assert report.agreement.max_absolute_difference == 0
    assert (report.only_production, report.only_shadow) == (0, 0)
    assert report.production is not None
    assert report.shadow is not None
    assert report.production.run_id == published.run_id != report.shadow.run_id
    assert report.shadow.table == "predictions_shadow"
    assert versions(world) == before
    assert files(world) == staged
    again = score(None, world.settings(), as_of=AS_OF)
    assert (again.status, again.run_id) == ("already_published", published.run_id)


def test_no_file_of_production_changes_and_its_next_increment_is_the_one_it_would_have_been(
    world: World, tmp_path: Path
) -> None:
    rows = source_rows()
    world.write_source(rows.set_column(2, "x1", pa.array([None, *rows["x1"].to_pylist()[1:]])))
    settings = world.settings(
        source={"table": "flights", "keys": ["id"], "passthrough": ["carrier"], "read": "changes"},
        model={"missing": {"x1": "reject"}},
        output={"exports": [{"name": "bi", "format": "parquet", "path": str(tmp_path / "bi")}], "queue": QUEUE},
        profile={"rows": "all"},
        monitor={"report": True, "metrics": str(tmp_path / "metrics"), "mlflow": False},
        sla={"published_within_hours": 1, "fail": True},
        challengers=[{"uri": f"models:/{MODEL}/2"}],
    )
    assert score(world.spark, settings, as_of=AS_OF).exit_code == 5
    before, aliases = contents(world.home, tmp_path / "bi", tmp_path / "metrics"), world.registry.aliases()
    assert {"predictions_rejects", "predictions_queue", "predictions_challengers", "predictions_drift"} & {
        file.parent.parent.name for file in before
    } >= {"predictions_rejects", "predictions_queue", "predictions_challengers"}
    other = settings.model_copy(update={"model": settings.model.model_copy(update={"uri": f"models:/{MODEL}/2"})})
    report = score_shadow(world.spark, other, as_of=AS_OF)
    assert (report.status, report.exit_code, report.agreement and report.agreement.rows) == ("compared", 0, 59)
    after = contents(world.home, tmp_path / "bi", tmp_path / "metrics")
    assert {file: after.get(file) for file in before} == before
    assert all(is_shadows(file) for file in set(after) - set(before))
    assert world.registry.aliases() == aliases

    world.write_source(source_rows(5, first=60), mode="append")
    following = score(world.spark, settings, as_of="2014-01-01")
    assert following.increment is not None
    assert (following.increment.since, following.rows_scored) == (1, 5)


def test_another_model_differs_by_segment_and_ends_with_five_above_a_limit(world: World) -> None:
    world.begin_with()
    before = versions(world)
    settings = world.settings(
        model={"uri": f"models:/{MODEL}/2"},
        profile={"rows": "none", "segments": ["carrier"]},
        shadow={"max_changed": 0.01, "max_difference": 1.0, "max_missing": 0.0},
    )
    report = score_shadow(world.spark, settings, as_of=AS_OF)
    assert report.exit_code == 5
    assert [(one.rule, one.held) for one in report.rules] == [
        ("max_changed", False),
        ("max_difference", True),
        ("max_missing", True),
    ]
    assert {(one.slice_key, one.slice_value, one.rows) for one in report.segments} == {
        ("carrier", "AA", 30),
        ("carrier", "UA", 30),
    }
    assert report.drifts
    assert report.report is not None
    page = Path(report.report).read_text()
    assert "Too different" in page
    assert "challenger" not in page.lower()
    assert versions(world) == before


def test_a_second_shadow_is_scored_anew_and_takes_the_place_of_the_first(world: World) -> None:
    world.begin_with()
    first = score_shadow(world.spark, world.settings(), as_of=AS_OF)
    second = score_shadow(world.spark, world.settings(model={"uri": f"models:/{MODEL}/2"}), as_of=AS_OF)
    third = score_shadow(world.spark, world.settings(model={"uri": f"models:/{MODEL}/2"}), as_of=AS_OF)
    runs = [report.shadow.run_id for report in (first, second, third) if report.shadow is not None]
    assert len(set(runs)) == 3
    assert third.agreement == second.agreement != first.agreement
    rows = DeltaTable(world.path("predictions_shadow")).to_pyarrow_table()
    assert (rows.num_rows, set(rows["run_id"].to_pylist())) == (60, {runs[2]})


def test_a_shadow_reads_the_version_of_the_source_that_production_has_read(world: World) -> None:
    world.begin_with()
    world.write_source(source_rows(90))
    report = score_shadow(world.spark, world.settings(), as_of=AS_OF)
    assert report.agreement is not None
    assert (report.agreement.rows, report.only_shadow) == (60, 0)
    assert report.shadow is not None
    assert report.production is not None
    assert report.shadow.source_version == report.production.source_version


def test_rows_that_only_one_side_has_are_counted(world: World) -> None:
    world.begin_with()
    source = {"table": "flights", "keys": ["id"], "passthrough": ["carrier"]}
    where = [{"column": "id", "op": "<", "value": 40}]
    settings = world.settings(source={**source, "where": where}, shadow={"max_missing": 0.1})
    report = score_shadow(world.spark, settings, as_of=AS_OF)
    assert (report.only_production, report.only_shadow, report.exit_code) == (20, 0, 5)


def test_a_config_of_staging_is_compared_with_productions_table(world: World) -> None:
    world.begin_with()
    settings = world.settings(
        job="late-flights-staging",
        output={"table": "predictions_staging", "threshold": 0.5},
        shadow={"against": "predictions"},
    )
    report = score_shadow(world.spark, settings, as_of=AS_OF)
    assert report.shadow is not None
    assert (report.shadow.table, report.agreement and report.agreement.rows) == ("predictions_staging_shadow", 60)
    assert not Path(world.path("predictions_staging")).exists()


def test_without_a_publication_there_is_nothing_to_compare_with(world: World) -> None:
    with pytest.raises(ConfigError, match="no published run") as caught:
        score_shadow(world.spark, world.settings(), as_of=AS_OF)
    assert isinstance(caught.value.report, ShadowReport)
    assert json.loads(caught.value.report.to_json())["status"] == "failed"
    assert not Path(world.path("predictions_shadow")).exists()


def test_a_shadow_that_died_is_continued_and_production_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.begin_with()
    before = versions(world)

    def die(*_: Any, **__: Any) -> None:
        raise RuntimeError("the process was killed here")

    with monkeypatch.context() as broken:
        broken.setattr("sparkscore.pipelines.score.publish_stage", die)
        with pytest.raises(RuntimeError):
            score_shadow(world.spark, world.settings(), as_of=AS_OF)
    assert versions(world) == before
    report = score_shadow(world.spark, world.settings(), as_of=AS_OF)
    assert (report.status, report.agreement and report.agreement.rows) == ("compared", 60)
    assert versions(world) == before


def test_a_shadow_that_failed_for_good_is_scored_anew(world: World) -> None:
    world.begin_with()
    suite = world.home / "suite.json"
    suite.write_text(
        json.dumps(
            {
                "name": "s",
                "expectations": [
                    {
                        "type": "expect_column_values_to_be_between",
                        "kwargs": {"column": "prediction", "max_value": 0},
                        "severity": "critical",
                    }
                ],
            }
        )
    )
    with pytest.raises(GateFailed):
        score_shadow(world.spark, world.settings(gate={"output": str(suite)}), as_of=AS_OF)
    assert was_scored(world, world.settings())


def was_scored(world: World, settings: Settings) -> bool:
    """Whether a shadow asks the model, and takes nothing that another one has staged."""
    scored: list[str] = []

    def progress(part: str, **_: Any) -> AbstractContextManager[None]:
        scored.append(part)
        return nullcontext()

    report = score_shadow(world.spark, settings, as_of=AS_OF, progress=progress)
    assert report.status == "compared"
    return scored == ["score_and_stage"]


def test_a_shadow_takes_nothing_from_that_of_another_table(world: World) -> None:
    world.begin_with()
    score_shadow(world.spark, world.settings(), as_of=AS_OF)
    staging = world.settings(output={"table": "predictions_staging"}, shadow={"against": "predictions"})
    assert was_scored(world, staging)


@pytest.mark.parametrize("others", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_shadow_that_others_overtake_compares_nothing_and_says_what_to_do(
    others: int, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.begin_with()
    original, other = publishing.publish_stage, world.settings(model={"uri": f"models:/{MODEL}/2"})

    def publish_late(*given: Any, **options: Any) -> RunReport:
        monkeypatch.undo()
        for _ in range(others):
            assert score_shadow(world.spark, other, as_of=AS_OF).status == "compared"
        return original(*given, **options)

    monkeypatch.setattr("sparkscore.pipelines.score.publish_stage", publish_late)
    with pytest.raises((PinsConflict, TemporaryError)) as caught:
        score_shadow(world.spark, world.settings(), as_of=AS_OF)
    assert "run it again" in caught.value.do
    assert "--replace" not in str(caught.value)


@pytest.mark.slow
def test_after_a_rollback_what_production_shows_is_compared(world: World) -> None:
    world.begin_with()
    score(world.spark, world.settings(model={"uri": f"models:/{MODEL}/2"}), as_of=AS_OF, replace=True)
    rollback(world.spark, world.settings(), as_of=AS_OF)
    report = score_shadow(world.spark, world.settings(shadow={"max_missing": 0.0}), as_of=AS_OF)
    assert report.agreement is not None
    assert (report.agreement.rows, report.agreement.equal_share, report.only_shadow) == (60, 1.0, 0)
    assert report.rules[0].held
    where = [{"column": "id", "op": "<", "value": 40}]
    source = {"table": "flights", "keys": ["id"], "passthrough": ["carrier"], "where": where}
    report = score_shadow(world.spark, world.settings(source=source, shadow={"max_missing": 0.1}), as_of=AS_OF)
    assert (report.only_production, report.exit_code) == (20, 5)


def test_shadows_of_one_day_have_a_page_each(world: World) -> None:
    pages = []
    for hour in ("2013-12-31", "2013-12-31T06:00:00"):
        score(world.spark, world.settings(), as_of=hour)
        pages.append(score_shadow(world.spark, world.settings(), as_of=hour).report or "")
    assert [Path(page).name for page in pages] == ["shadow-2013-12-31.html", "shadow-2013-12-31T060000Z.html"]
    assert all(Path(page).is_file() for page in pages)


def test_a_shadow_tells_and_exports_nothing(world: World) -> None:
    settings = world.settings(
        monitor={"webhook": "http://127.0.0.1:9/hook", "mlflow": True, "metrics": "/nowhere", "report": True},
        output={"table": "predictions", "exports": [{"name": "bi", "format": "parquet", "path": "/nowhere"}]},
        challengers=[{"uri": f"models:/{MODEL}/2"}],
    )
    shadow = to_shadow_settings(settings, source_version=3)
    assert (shadow.job, shadow.output.table) == ("late-flights.shadow", "predictions_shadow")
    assert (shadow.output.exports, shadow.challengers, shadow.output.explode) == ((), (), {})
    assert (shadow.monitor.webhook, shadow.monitor.mlflow, shadow.monitor.metrics) == (None, False, None)
    assert not shadow.lineage.enabled
    assert shadow.stage_uri != settings.stage_uri
    assert shadow.landing_uri != settings.landing_uri
    assert shadow.scoring_digest() == settings.scoring_digest()
    Settings(**shadow.model_dump())  # still settings that would be taken


NOT_WRITTEN = {
    *("home", "source.table", "model.files", "gate.input", "gate.output", "labels.table"),  # read, or the parent of all
    *("stream.checkpoint", "lineage.file"),  # of streams; of lineage events, which a shadow has none of
}


def test_each_setting_that_names_a_place_names_another_one_in_a_shadow_or_none_that_runs_write(world: World) -> None:
    places = [
        name
        for name, info in iterate_setting_fields(Settings)
        if name.endswith(".table") or (isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("path"))
    ]
    settings = world.settings(output={"stage": "/data/stage"}, monitor={"metrics": "/data/metrics"})
    shadow = to_shadow_settings(settings, source_version=None)
    values = [(name, *(find_value(one, name) for one in (settings, shadow))) for name in places]
    assert {name for name, mine, theirs in values if mine == theirs} == NOT_WRITTEN


def find_value(settings: Any, name: str) -> Any:
    return reduce(getattr, name.split("."), settings)


def test_a_name_that_is_too_long_for_the_suffix_is_refused(world: World) -> None:
    with pytest.raises(ConfigError, match="characters"):
        to_shadow_settings(world.settings(job="j" * 125), source_version=None)


def test_what_could_not_be_measured_keeps_no_limit() -> None:
    limits = ShadowSettings(max_difference=0.1, max_missing=0.5)
    (difference, missing) = judge_shadow(ModelAgreement(3, equal_share=1.0), limits, paired=3, rows=4)
    assert (difference.held, difference.found) == (False, None)
    assert (missing.held, missing.found) == (True, 0.25)
    assert judge_shadow(None, ShadowSettings(), paired=0, rows=0) == ()
