"""`compare` on the command line: one line of JSON, tables for people, and the exit codes."""

import pytest

from tests.cli.test_main import call, config_of
from tests.world import MODEL, World


def test_compare_shows_what_differs_and_refuses_a_promotion_that_nothing_proves(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.registry.alias(2, alias="challenger")
    world.begin_with(world.settings(challengers=[{"uri": f"models:/{MODEL}@challenger"}]))
    words = ("compare", "--config", config_of(world))
    code, line, shown = call(capfd, *words)
    assert (code, line["schema"], line["status"], line["agreement"]["rows"]) == (0, 1, "compared", 60)
    assert line["champion"]["version"] == "1"
    assert line["promotion"] is None
    for text in ("late version 1 against late version 2", "label flips", "the report is"):
        assert text in shown
    code, line, shown = call(capfd, *words, "--promote", "--promotion.metric", "roc_auc")
    assert (code, line["status"], line["exit_code"]) == (5, "not_promoted", 5)
    assert [rule["rule"] for rule in line["promotion"]["rules"]] == ["min_rows", "min_gain", "confidence"]
    assert "FAILS  min_rows" in shown
    code, line, _ = call(capfd, *words, "--challenger", "9")
    assert (code, line["status"], line["error"]["class"]) == (2, "failed", "ConfigError")


def test_a_dry_run_of_nothing_is_refused_before_spark_starts(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    code, line, _ = call(capfd, "compare", "--config", config_of(world), "--dry-run")
    assert (code, line["status"], line["error"]["class"]) == (2, "failed", "ConfigError")
