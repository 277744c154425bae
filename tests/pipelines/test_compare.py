"""A challenger held against its champion, over what both have published."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from mlflow import MlflowClient
from sklearn.metrics import confusion_matrix, log_loss, roc_auc_score

from sparkscore import ConfigError, PinsConflict, score
from sparkscore.pipelines.compare import compare
from sparkscore.settings import Settings
from tests.world import AS_OF, MODEL, World, source_rows


def challenging(world: World, **groups: object) -> Settings:
    """The settings of a job with a challenger, and segments."""
    world.registry.alias(2, alias="challenger")
    return world.settings(
        challengers=[{"uri": f"models:/{MODEL}@challenger"}],
        profile={"segments": ["carrier"]},
        drift={"min_rows": 30},
        **groups,
    )


@pytest.fixture
def compared(world: World) -> Settings:
    """A job that has published a champion and a challenger beside it."""
    settings = challenging(world)
    world.begin_with(settings)
    return settings


def test_a_comparison_says_what_differs_for_all_rows_and_by_segment(world: World, compared: Settings) -> None:
    report = compare(world.spark, compared)
    champion, challenger = (world.registry.expected(source_rows(), version=version) for version in (1, 2))
    assert (report.status, report.exit_code, report.as_ofs) == ("compared", 0, ("2013-12-31T00:00:00Z",))
    assert report.champion is not None
    assert report.challenger is not None
    assert (report.champion.version, report.challenger.version) == ("1", "2")
    assert (report.champion_rows, report.challenger_rows) == (60, 60)

    found = report.agreement
    assert found is not None
    table = confusion_matrix(champion >= 0.5, challenger >= 0.5)
    assert (found.both_negative, found.flips_up) == tuple(table[0])
    assert (found.flips_down, found.both_positive) == tuple(table[1])
    assert found.equal_share == pytest.approx(np.trace(table) / 60)
    assert found.correlation == pytest.approx(np.corrcoef(champion, challenger)[0, 1])
    assert found.mean_absolute_difference == pytest.approx(np.abs(champion - challenger).mean())
    assert found.max_absolute_difference == pytest.approx(np.abs(champion - challenger).max())

    is_first = np.array(source_rows()["carrier"].to_pylist()) == "AA"
    by_carrier = {one.slice_value: one for one in report.segments}
    assert {value: one.rows for value, one in by_carrier.items()} == {"AA": 30, "UA": 30}
    means = by_carrier["AA"].champion_mean, by_carrier["AA"].challenger_mean
    assert means == pytest.approx((champion[is_first].mean(), challenger[is_first].mean()))

    overall = next(one for one in report.drifts if one.slice_key is None)
    grid = np.sort(np.concatenate([champion, challenger]))
    shares = [np.searchsorted(np.sort(side), grid, side="right") / 60 for side in (champion, challenger)]
    assert overall.kolmogorov_smirnov == pytest.approx(np.abs(shares[0] - shares[1]).max(), abs=0.04)
    assert len(report.drifts) == 3

    assert set(report.costs) == {"champion", "challenger"}
    assert report.cost_ratio is not None
    page = Path(str(report.report)).read_text()
    assert "late version 2 against late version 1" in page
    assert "carrier = UA" in page


def test_what_cannot_be_compared_is_refused_with_what_could_be(world: World, compared: Settings) -> None:
    with pytest.raises(ConfigError, match=f"{MODEL}/2"):
        compare(world.spark, compared, challenger="7")
    with pytest.raises(ConfigError, match="no run of the period"):
        compare(world.spark, compared, as_of="2012-01-01")
    with pytest.raises(ConfigError, match=r"promotion\.metric"):
        compare(world.spark, compared, promote=True)
    with pytest.raises(ConfigError, match="--as-of with --from"):
        compare(world.spark, compared, as_of=AS_OF, first=AS_OF)
    named = compare(world.spark, compared, challenger=f"{MODEL}/2", first=AS_OF, last=AS_OF)
    assert named.status == "compared"


def write_truth(world: World, version: int) -> None:
    """The truth of each row, as a model of this version sees it, with some noise."""
    rows = source_rows()
    noise = np.random.default_rng(1).normal(0, 0.05, rows.num_rows)
    late = (world.registry.expected(rows, version=version) + noise > 0.5).astype(int)
    world.write_source(pa.table({"id": rows["id"], "late": late}), name="truths")


def promoting(world: World, **rules: object) -> Settings:
    promotion = {"metric": "log_loss", "min_rows": 50, **rules}
    return challenging(world, labels={"table": "truths", "truth": "late"}, promotion=promotion)


def champion_version(world: World) -> str:
    client = MlflowClient(world.registry.uri, registry_uri=world.registry.uri)
    return str(client.get_model_version_by_alias(MODEL, "champion").version)


def test_a_challenger_that_wins_is_promoted_and_the_next_run_has_it(world: World, compared: Settings) -> None:
    write_truth(world, 2)
    settings = promoting(
        world, min_gain=0.01, max_flips=0.9, max_cost_ratio=1000, max_segment_loss=0.0, min_segment_rows=20
    )
    judged = compare(world.spark, settings, promote=True, dry_run=True)
    assert (judged.status, judged.exit_code, champion_version(world)) == ("dry_run", 0, "1")
    report = compare(world.spark, settings, promote=True)
    assert (report.status, report.exit_code) == ("promoted", 0)
    assert report.promotion is not None
    assert (report.promotion.promoted, report.promotion.alias) == (True, f"{MODEL}@champion")
    assert all(rule.held for rule in report.promotion.rules)
    assert champion_version(world) == "2"
    client = MlflowClient(world.registry.uri, registry_uri=world.registry.uri)
    tags = client.get_model_version(MODEL, "2").tags
    assert tags["sparkscore.promoted_over"] == "1"
    assert "log_loss" in tags["sparkscore.promoted_because"]

    truths = world.table("truths").orderBy("id").toPandas()["late"].to_numpy()
    predicted = [world.registry.expected(source_rows(), version=version) for version in (1, 2)]
    gain = next(one for one in report.quality if one.metric == "log_loss")
    assert (gain.champion, gain.challenger) == pytest.approx([log_loss(truths, one) for one in predicted])
    area = next(one for one in report.quality if one.metric == "roc_auc")
    assert (area.champion, area.challenger) == pytest.approx([roc_auc_score(truths, one) for one in predicted])
    assert (report.truth_share, gain.rows) == (1.0, 60)
    assert {one.slice_value: one.gain.rows for one in report.segments if one.gain} == {"AA": 30, "UA": 30}
    assert "Promoted" in Path(str(report.report)).read_text()

    with pytest.raises(PinsConflict, match="points to version 2"):  # what was compared is no champion any more
        compare(world.spark, settings, promote=True)
    following = score(world.spark, settings, as_of="2014-01-01")
    assert following.model is not None
    assert following.model.version == "2"
    assert [one.status for one in following.challengers] == ["skipped"]


def test_one_that_must_not_be_promoted_is_not_and_the_report_says_why(world: World, compared: Settings) -> None:
    write_truth(world, 1)
    report = compare(world.spark, promoting(world, max_flips=0.0), promote=True)
    assert (report.status, report.exit_code, champion_version(world)) == ("not_promoted", 5, "1")
    assert report.promotion is not None
    held = {rule.rule: rule.held for rule in report.promotion.rules}
    assert held == {"min_rows": True, "min_gain": False, "confidence": False, "max_flips": False}
    assert "version 2 is not promoted: min_gain: -" in report.warnings[-1]
    assert "still points to the champion" in Path(str(report.report)).read_text()
    untold = compare(world.spark, challenging(world, promotion={"metric": "roc_auc"}), promote=True)
    assert (untold.status, untold.exit_code, untold.quality) == ("not_promoted", 5, ())
