"""Challengers in the settings: what they take from the champion, and what they change of it."""

from typing import Any

import pytest
from pydantic import ValidationError

from sparkscore.settings import Settings
from sparkscore.settings.challenger_settings import ChallengerSettings

JOB: dict[str, Any] = {
    "job": "late",
    "source": {"table": "flights", "keys": ["id"]},
    "model": {"uri": "models:/late@champion", "params": {"depth": 3}, "inputs": {"x": "column_x"}, "runtime": "onnx"},
    "output": {"table": "predictions"},
}


def test_what_a_challenger_does_not_name_is_the_champions() -> None:
    settings = Settings(**JOB, challengers=[{"uri": "models:/late/2", "params": {"depth": 5}}])
    (challenger,) = settings.challengers
    model = challenger.replace_champion(settings.model)
    assert (model.uri, model.params, model.inputs, model.runtime) == (
        "models:/late/2",
        {"depth": 5},
        {"x": "column_x"},
        "onnx",
    )
    assert challenger.replace_champion(settings.model, uri="models:/late/7").uri == "models:/late/7"


def test_challengers_do_not_change_what_the_champion_is() -> None:
    alone, beside = Settings(**JOB), Settings(**JOB, challengers=[{"uri": "models:/late@challenger"}])
    assert beside.scoring_digest() == alone.scoring_digest()
    assert beside.former_scoring_digest() == alone.former_scoring_digest()


def test_a_challenger_is_the_same_one_with_another_timeout() -> None:
    one = ChallengerSettings(uri="models:/late/2")
    assert one.key == ChallengerSettings(uri="models:/late/2", timeout=5, budget=2, strict=True).key
    assert one.key != ChallengerSettings(uri="models:/late/2", params={"depth": 5}).key


@pytest.mark.parametrize(
    "challengers",
    [
        [{"uri": "models:/late/2"}, {"uri": "models:/late/2", "timeout": 5}],
        [{"uri": "models:/late/2", "timeout": 0}],
        [{"uri": "models:/late/2", "budget": float("nan")}],
        [{"uri": "models:/late/2", "residency": "worker"}],
    ],
)
def test_what_makes_no_sense_is_refused(challengers: list[dict[str, Any]]) -> None:
    with pytest.raises(ValidationError):
        Settings(**JOB, challengers=challengers)
