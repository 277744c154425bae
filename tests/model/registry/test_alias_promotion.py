"""The alias moves to the challenger only from the champion that was compared with it."""

import pytest
from mlflow import MlflowClient

from sparkscore import ConfigError, PinsConflict
from sparkscore.model.registry.alias_promotion import AliasMove, check_alias, move_compared_alias, plan_alias_move
from tests.world import MODEL, Registry

URI = f"models:/{MODEL}@champion"
MOVE = AliasMove(MODEL, "champion", "1", "2")


def test_it_moves_and_the_version_says_why(registry: Registry) -> None:
    registry.alias(1)
    move = plan_alias_move(URI, champion=(MODEL, "1"), challenger=(MODEL, "2"))
    assert move == MOVE
    check_alias(move, registry.uri)
    move_compared_alias(move, {"sparkscore.promoted_over": "1"}, registry.uri)
    client = MlflowClient(registry.uri, registry_uri=registry.uri)
    assert str(client.get_model_version_by_alias(MODEL, "champion").version) == "2"
    assert client.get_model_version(MODEL, "2").tags["sparkscore.promoted_over"] == "1"


def test_an_alias_that_somebody_has_moved_stays_where_it_is(registry: Registry) -> None:
    registry.alias(2)
    with pytest.raises(PinsConflict, match="points to version 2"):
        check_alias(MOVE, registry.uri)
    with pytest.raises(PinsConflict, match="nothing is left to do"):  # it names the challenger already
        move_compared_alias(MOVE, {"sparkscore.never": "set"}, registry.uri)
    with pytest.raises(PinsConflict, match="compare again"):
        move_compared_alias(AliasMove(MODEL, "champion", "3", "1"), {"sparkscore.never": "set"}, registry.uri)
    client = MlflowClient(registry.uri, registry_uri=registry.uri)
    assert "sparkscore.never" not in client.get_model_version(MODEL, "2").tags


@pytest.mark.parametrize(
    ("uri", "challenger", "words"),
    [
        (f"models:/{MODEL}/1", (MODEL, "2"), "names no alias"),
        (URI, ("other", "2"), "a version of late"),
        ("models:/m-0123abc", (MODEL, "2"), "names no alias"),
    ],
)
def test_what_no_alias_can_say_is_refused(uri: str, challenger: tuple[str, str], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        plan_alias_move(uri, champion=(MODEL, "1"), challenger=challenger)
    assert words in str(refused.value)
