"""What may be asked of a back-fill. No Spark, no tables."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sparkscore.errors import ConfigError
from sparkscore.pipelines.backfilling.backfill_request import BackfillRequest, describe_as_ofs
from sparkscore.records import BackfillChoices, PlannedAsOf, most_serious_code
from sparkscore.settings import Settings

DAYS = [datetime(2013, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(20)]


def settings(uri: str = "models:/late@champion", **source: Any) -> Settings:
    return Settings(
        job="late",
        source={"table": "flights", "keys": ["id"], **source},
        model={"uri": uri},
        output={"table": "predictions"},
    )


def request(given: Settings, **choices: Any) -> BackfillRequest:
    return BackfillRequest.of(given, DAYS, BackfillChoices(**choices))


def test_whether_the_source_is_as_it_was_or_as_it_is_has_to_be_said_and_the_error_explains_both() -> None:
    with pytest.raises(ConfigError, match=r"as it was \(source.version: as_of.*as it is \(--source-as-it-is\)"):
        request(settings())


@pytest.mark.parametrize(
    ("version", "flag", "label"),
    [
        ("as_of", None, "as_it_was"),
        ("latest", "as_it_was", "as_it_was"),
        ("latest", "as_it_is", "as_it_is"),
        ("as_of", "as_it_is", "as_it_is"),
        (3, None, "version 3"),
    ],
)
def test_a_setting_says_it_or_a_flag(version: Any, flag: Any, label: str) -> None:
    assert request(settings(version=version), source=flag).source_label == label


@pytest.mark.parametrize(
    ("given", "choices", "what"),
    [
        (settings(version=3), {"source": "as_it_is"}, "source.version 3"),
        (settings(format="csv"), {"source": "as_it_was"}, "has no versions"),
        (settings(format="csv"), {}, "of the format csv has no versions"),
        (settings(), {"source": "as_it_is", "parallel": 0}, "parallel is 0"),
        (settings("models:/m-123"), {"source": "as_it_is", "model_version": "2"}, "no registered model"),
    ],
)
def test_choices_that_contradict_the_config_are_refused(given: Settings, choices: Any, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        request(given, **choices)


def test_increments_follow_one_another_and_end_with_the_first_failure() -> None:
    increments = settings(version="as_of", read="changes")
    assert request(increments).choices.fail_fast
    with pytest.raises(ConfigError, match="one after the other"):
        request(increments, parallel=2)


def test_with_a_model_per_group_only_those_of_now_can_score() -> None:
    grouped = settings("models:/late-{carrier}@champion", version="as_of")
    grouped = grouped.model_copy(update={"model": grouped.model.model_copy(update={"by": ("carrier",)})})
    assert request(grouped, model="as_it_is").settings_of(PlannedAsOf(DAYS[0], "continue", 3, "7")) == grouped
    for choices in ({}, {"model_version": "2", "model": "as_it_is"}):
        with pytest.raises(ConfigError, match="add --model-as-it-is"):
            request(grouped, **choices)


def test_an_as_of_in_the_future_is_refused() -> None:
    later = [datetime.now(UTC) + timedelta(days=number) for number in (-1, 0, 1, 2)]
    with pytest.raises(ConfigError, match="2 of 4 as_ofs are in the future"):
        BackfillRequest.of(settings(version="as_of"), later, BackfillChoices())


@pytest.mark.parametrize(
    ("uri", "choices", "follows", "label"),
    [
        ("models:/late@champion", {}, True, "as_it_was"),
        ("models:/late@champion", {"model": "as_it_is"}, False, "as_it_is"),
        ("models:/late@champion", {"model_version": "7"}, False, "version 7"),
        ("models:/late/4", {}, False, "version 4"),
        ("models:/m-123", {}, False, "models:/m-123"),
    ],
)
def test_an_alias_alone_follows_the_history_of_the_job(uri: str, choices: Any, follows: bool, label: str) -> None:
    found = request(settings(uri, version="as_of"), **choices)
    assert (found.follows_history, found.model_label) == (follows, label)


def test_a_run_has_the_settings_of_the_job_with_the_source_and_the_model_as_planned() -> None:
    made = request(settings(), source="as_it_was").settings_of(PlannedAsOf(DAYS[0], "score", 3, "7"))
    assert (made.source.version, made.model.uri) == ("as_of", "models:/late/7")
    assert made.scoring_digest() == settings().scoring_digest()


def test_as_ofs_that_follow_one_another_are_named_as_a_range() -> None:
    found = describe_as_ofs([DAYS[0], DAYS[3], DAYS[1]], DAYS)
    assert found == ("2013-01-01T00:00:00Z to 2013-01-02T00:00:00Z, 2013-01-04T00:00:00Z")
    assert describe_as_ofs(DAYS[::2], DAYS).endswith("and 5 more ranges")


@pytest.mark.parametrize(
    ("codes", "worst"),
    [
        ((), 0),
        ((0, 0), 0),
        ((5, 0), 5),
        ((75, 5), 75),
        ((75, 3), 3),
        ((3, 4), 4),
        ((4, 2), 2),
        ((2, 1), 1),
        ((2, 9), 9),
    ],
)
def test_a_failure_that_no_retry_mends_decides_the_exit_code(codes: tuple[int, ...], worst: int) -> None:
    assert most_serious_code(codes) == worst
