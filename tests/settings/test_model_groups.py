"""Settings of one model per group."""

from typing import Any

import pytest
from pydantic import ValidationError

from sparkscore.settings import Settings
from sparkscore.settings.model_groups import fill_template, find_placeholders
from sparkscore.settings.model_settings import ModelSettings


def test_a_template_names_columns_in_braces() -> None:
    assert find_placeholders("models:/{chain}-{store}@{chain}") == ("chain", "store")
    assert fill_template("models:/{a}{b}/1", {"a": "{b}", "b": "x"}) == "models:/{b}x/1"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"uri": "models:/a@b", "by": ["store"]}, "names one model for all groups"),
        ({"uri": "models:/a-{shop}@b", "by": ["store"]}, "names shop; expected columns of model.by: store"),
        ({"uri": "models:/a-{store}@b", "by": ["store", "day"]}, "names day, and model.uri does not"),
        ({"uri": "models:/a-{store}@b", "by": ["store", "store"]}, "names a column twice"),
        ({"uri": "models:/a-{store}@{b", "by": ["store"]}, "braces that are no placeholder"),
        ({"uri": "models:/a-{store}", "by": ["store"]}, "names no registered models"),
        ({"uri": "{store}", "by": ["store"]}, "names no registered models"),
        ({"uri": "runs:/{store}/m", "by": ["store"]}, "names no registered models"),
        ({"uri": "models:/a@b", "groups": {"table": "t"}}, "model.by names no columns"),
        ({"uri": "models:/a@b", "cache_models": 5}, "model.by is not set"),
        ({"uri": "models:/a-{s}@b", "by": ["s"], "residency": "executor"}, "residency executor is for one model"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ModelSettings(**wrong)


def test_with_a_table_its_columns_may_be_named_or_whole_uris() -> None:
    for uri in ("models:/{model}/{version}", "{uri}", "models:/a-{store}@champion"):
        assert ModelSettings(uri=uri, by=["store"], groups={"table": "t"}).uri == uri


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"source": {"sensitive": ["store"]}}, "in source.sensitive: store"),
        ({"scoring": {"transport": "scan"}}, "does not bring rows together by group"),
        ({"scoring": {"transport": "pandas_udf"}}, "does not bring rows together by group"),
        ({"drift": {"baseline": "model"}}, "name a run or a window"),
    ],
)
def test_what_other_sections_cannot_have_beside_it_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        job_of(wrong)


def test_groups_are_a_part_of_the_scoring_digest_and_the_cache_is_none() -> None:
    digest = job_of({}).scoring_digest()
    assert job_of({"model": {"cache_models": 7}}).scoring_digest() == digest
    assert job_of({"model": {"groups": {"table": "t"}}}).scoring_digest() != digest


def job_of(more: dict[str, Any]) -> Settings:
    """A job with one model per store."""
    values: dict[str, Any] = {
        "job": "j",
        "source": {"table": "t", "keys": ["id"]},
        "model": {"uri": "models:/a-{store}@champion", "by": ["store"]},
        "output": {"table": "p"},
    }
    for name, own in more.items():
        values[name] = {**values.get(name, {}), **own}
    return Settings(**values)
