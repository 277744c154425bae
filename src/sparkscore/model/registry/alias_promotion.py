"""Moves the alias of a champion to the challenger that was compared with it, if it still points to that champion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkscore.errors import ConfigError, PinsConflict
from sparkscore.model.registry.mlflow_client import call_registry, open_registry
from sparkscore.model.registry.model_uri import ModelUri, parse_model_uri, require_mlflow_model


@dataclass(frozen=True, slots=True)
class AliasMove:
    """An alias, and the versions before and after."""

    name: str
    alias: str
    champion: str
    challenger: str

    @property
    def text(self) -> str:
        """`name@alias`."""
        return f"{self.name}@{self.alias}"


def plan_alias_move(uri: str, *, champion: tuple[str, str], challenger: tuple[str, str]) -> AliasMove:
    """The move that makes the challenger what `model.uri` names.

    Needs:   name and version of both.
    Raises:  ConfigError where the URI names no alias, or the two are versions of different models.
    """
    named = parse_model_uri(uri)
    require_mlflow_model(
        named,
        "--promote moves an alias of MLflow",
        "leave out --promote, and move the alias in Vertex AI: the next run takes the version that it names",
    )
    if not isinstance(named, ModelUri) or named.alias is None:
        raise ConfigError(
            f"model.uri {uri} names no alias", "models:/<name>@<alias>", "name the champion by an alias, which can move"
        )
    for role, (name, version) in (("champion", champion), ("challenger", challenger)):
        if name != named.name:
            raise ConfigError(
                f"the {role} is version {version} of {name}",
                f"a version of {named.name}, whose alias {named.alias} would be moved",
                f"register it as a version of {named.name}",
            )
    return AliasMove(named.name, named.alias, champion[1], challenger[1])


def check_alias(move: AliasMove, tracking_uri: str | None) -> None:
    """Refuse where the alias does not point to the champion that was compared.

    Raises:  PinsConflict; as `call_registry`.
    """
    _require_champion(open_registry(tracking_uri).client, move)


def move_compared_alias(move: AliasMove, tags: Mapping[str, str], tracking_uri: str | None) -> None:
    """Move the alias and tag the version, if the alias still points to the champion that was compared.

    MLflow has no compare-and-set: it is read right before and after it is set.

    Raises:  PinsConflict where somebody else has moved it; as `call_registry`.
    """
    client = open_registry(tracking_uri).client
    _require_champion(client, move)
    for key, value in tags.items():
        _call(client.set_model_version_tag, move, move.name, move.challenger, key, value)
    _require_champion(client, move)
    _call(client.set_registered_model_alias, move, move.name, move.alias, move.challenger)
    found = _find_aliased_version(client, move)
    if found != move.challenger:
        raise _moved_error(move, found)


def _require_champion(client: Any, move: AliasMove) -> None:
    found = _find_aliased_version(client, move)
    if found != move.champion:
        raise _moved_error(move, found)


def _find_aliased_version(client: Any, move: AliasMove) -> str | None:
    model = _call(client.get_registered_model, move, move.name)
    version = model.aliases.get(move.alias)
    return None if version is None else str(version)


def _call(request: Any, move: AliasMove, *given: str) -> Any:
    return call_registry(lambda: request(*given), f"the alias {move.text}")


def _moved_error(move: AliasMove, found: str | None) -> PinsConflict:
    if found == move.challenger:
        return PinsConflict(
            f"the alias {move.text} points to version {found} already: it was promoted by another call, or by this one"
            " before it was killed",
            f"version {move.champion}, the champion that was compared",
            "nothing is left to do: the next run takes the version",
        )
    return PinsConflict(
        f"the alias {move.text} points to {'no version' if found is None else f'version {found}'}",
        f"version {move.champion}, which was compared with version {move.challenger}",
        "score with the champion of now, and compare again",
    )
