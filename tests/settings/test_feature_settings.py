"""Settings of features: their grammar, and what of them is in the scoring digest."""

from typing import Any

import pytest
from pydantic import ValidationError

from sparkscore.records import FeatureJoin
from sparkscore.settings import Settings

WEATHER = {"table": "weather", "keys": {"origin": "airport"}, "time": "seen_at", "columns": ["temp"]}


def settings_with(*features: dict[str, Any], **source: Any) -> Settings:
    return Settings.model_validate(
        {
            "job": "late",
            "source": {"table": "flights", "keys": ["id"], "features": features, **source},
            "model": {"uri": "models:/late/1"},
            "output": {"table": "predictions"},
        }
    )


def test_lists_and_mappings_name_columns_and_a_ttl_is_a_number_and_a_unit() -> None:
    (named,) = settings_with({**WEATHER, "ttl": "12h", "prefix": "w_"}).source.features
    expected = FeatureJoin(
        "weather", (("origin", "airport"),), "seen_at", (("w_temp", "temp"),), ttl_us=12 * 3600 * 1_000_000
    )
    assert named.to_join() == expected
    (listed,) = settings_with({**WEATHER, "keys": ["origin"], "columns": {"warm": "temp"}}).source.features
    assert (listed.keys, listed.names) == ({"origin": "origin"}, ("warm",))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ttl": "30"}, "a whole number and a unit"),
        ({"ttl": "0d"}, "a whole number and a unit"),
        ({"ttl": "1 month"}, "a whole number and a unit"),
        ({"keys": []}, "at least 1"),
        ({"columns": ["temp", "temp"]}, "named twice: temp"),
        ({"columns": {"": "temp"}}, "an empty name"),
        ({"timezone": "EST"}, "America/New_York"),
        ({"known_at": "seen_at"}, "known_at names the column of time"),
        ({"version": -1}, "greater than or equal to 0"),
        ({"columns": ["temp", "Temp"]}, "two columns of one name"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        settings_with({**WEATHER, **changes})


def test_times_without_features_and_names_of_two_tables_are_refused() -> None:
    with pytest.raises(ValidationError, match="there are none"):
        settings_with(event_time="at")
    with pytest.raises(ValidationError, match="which is not set"):
        settings_with(WEATHER, event_timezone="UTC")
    with pytest.raises(ValidationError, match="two columns of one name"):
        settings_with(WEATHER, {**WEATHER, "table": "other"})


def test_the_scoring_digest_has_the_features_and_not_their_versions() -> None:
    plain, joined = settings_with().scoring_digest(), settings_with(WEATHER).scoring_digest()
    assert settings_with({**WEATHER, "version": 3}).scoring_digest() == joined
    others = [
        settings_with({**WEATHER, "ttl": "1d"}),
        settings_with({**WEATHER, "known_at": "written_at"}),
        settings_with(WEATHER, event_time="at"),
    ]
    assert len({plain, joined, *(one.scoring_digest() for one in others)}) == 5
