"""Rules of a suite that reject rows: in the scoring itself, on every transport, and the run goes on."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from sparkscore.errors import ConfigError, GateFailed, PinsConflict, TooManyRejects
from sparkscore.pipelines.score import score
from sparkscore.records import RunReport
from tests.world import AS_OF, World, assert_published, source_rows

REJECT = {"action": "reject"}
POSITIVE = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "x1", "min_value": -0.9, "strict_min": True},
    "meta": REJECT,
}
KNOWN = {
    "type": "expect_column_values_to_be_in_set",
    "kwargs": {
        "column": "carrier",
        "value_set": ["AA"],
        "row_condition": {"type": "comparison", "column": {"name": "id"}, "operator": "<", "parameter": 4},
    },
    "meta": REJECT,
}
PATTERN = {
    "type": "expect_column_values_to_match_regex",
    "kwargs": {"column": "carrier", "regex": "^(?i:aa|ua)$"},
    "meta": REJECT,
}
BETWEEN, SET = "expect_column_values_to_be_between(x1)", "expect_column_values_to_be_in_set(carrier)"


def suite(world: World, *rules: Mapping[str, Any], name: str = "rules") -> str:
    path = Path(world.path(f"{name}.json"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"name": name, "expectations": list(rules)}))
    return str(path)


def run(world: World, rules: Sequence[Mapping[str, Any]], *, as_of: str = AS_OF, **groups: Any) -> RunReport:
    gate = {"input": suite(world, *rules), **groups.pop("gate", {})}
    scoring = {"max_reject_ratio": 0.5, **groups.pop("scoring", {})}
    return score(world.spark, world.settings(gate=gate, scoring=scoring, **groups), as_of=as_of)


def rejected(world: World) -> dict[int, str]:
    rows = world.table("predictions_rejects").select("key", "code").collect()
    return {int(json.loads(row["key"])["id"]): row["code"] for row in rows}


def expected() -> dict[int, str]:
    rows = source_rows().to_pylist()
    found = {row["id"]: SET for row in rows if row["carrier"] != "AA" and row["id"] < 4}
    return {**found, **{row["id"]: BETWEEN for row in rows if row["x1"] <= -0.9}}


@pytest.mark.parametrize("transport", [pytest.param("scan", marks=pytest.mark.smoke), "arrow", "pandas_udf"])
def test_exactly_the_rows_that_break_a_rule_are_rejected_under_its_name(world: World, transport: str) -> None:
    report = run(world, [POSITIVE, KNOWN], scoring={"transport": transport})
    assert report.transport == transport
    assert rejected(world) == expected()
    kept = source_rows().filter(pc.invert(pc.is_in(source_rows()["id"], pc.cast(list(expected()), "int64"))))
    assert_published(world, report, kept)
    assert any(f"{BETWEEN}: " in warning and "rows rejected" in warning for warning in report.warnings)


def test_a_rule_that_only_spark_computes_moves_the_run_to_arrow_and_the_result_names_it(world: World) -> None:
    report = run(world, [PATTERN])
    assert (report.transport, report.rows_rejected) == ("arrow", 0)
    assert "expect_column_values_to_match_regex(carrier)" in str(report.transport_reason)


def test_a_column_that_only_a_rule_names_is_read_and_not_published(world: World) -> None:
    run(world, [KNOWN], source={"passthrough": []})
    assert rejected(world) == {1: SET, 3: SET}
    assert "carrier" not in world.table().columns


def test_too_many_rejected_rows_stop_the_run(world: World) -> None:
    with pytest.raises(TooManyRejects):
        run(world, [POSITIVE, KNOWN], scoring={"max_reject_ratio": 0.01})
    assert world.version() == -1


def test_a_published_as_of_does_not_take_other_rules_silently(world: World) -> None:
    run(world, [POSITIVE])
    with pytest.raises(PinsConflict, match="scoring_digest"):
        run(world, [POSITIVE, KNOWN])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"meta": {"action": "drop"}}, "action 'drop'"),
        ({"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}}, "cannot reject rows"),
        ({"kwargs": {"column": "x1", "min_value": 0, "mostly": 0.9}}, "mostly together with the action reject"),
        ({"kwargs": {"column": "x9", "min_value": 0}}, "x9"),
        ({"kwargs": {"column": "x1", "min_value": 2, "max_value": 1}}, "min_value is greater"),
    ],
)
def test_a_rule_that_cannot_reject_is_an_error_of_the_config(
    world: World, change: Mapping[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        run(world, [{**POSITIVE, **change}])


def test_rows_that_are_scored_cannot_be_rejected_any_more(world: World) -> None:
    late = suite(world, {**POSITIVE, "kwargs": {"column": "prediction", "min_value": 0}}, name="late")
    with pytest.raises(ConfigError, match="already scored"):
        run(world, [KNOWN], gate={"output": late})


class TestAgainstTheLastRun:
    EARLIER = "2013-12-30"

    def test_equal_predictions_pass(self, world: World) -> None:
        run(world, [KNOWN], as_of=self.EARLIER)
        report = run(world, [KNOWN], gate={"mean_shift": 0.1, "label_shift": 0.1}, output={"threshold": 0.5})
        assert report.status == "published"

    def test_a_mean_that_has_moved_stops_the_run(self, world: World) -> None:
        run(world, [KNOWN], as_of=self.EARLIER)
        world.registry.alias(2)
        with pytest.raises(GateFailed, match="mean of predictions against the last run"):
            run(world, [KNOWN], gate={"mean_shift": 0.001})
        assert world.version() == 1

    def test_a_mix_of_labels_that_has_moved_warns_where_that_is_asked(self, world: World) -> None:
        output = {"threshold": 0.5}
        run(world, [KNOWN], as_of=self.EARLIER, output=output)
        world.registry.alias(2)
        report = run(world, [KNOWN], gate={"label_shift": 0.001, "shift_severity": "warning"}, output=output)
        assert any("shares of labels against the last run" in warning for warning in report.warnings)

    def test_a_first_run_has_nothing_to_be_compared_with(self, world: World) -> None:
        assert run(world, [KNOWN], gate={"mean_shift": 0.001}).status == "published"
