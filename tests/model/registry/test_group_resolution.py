"""The models of many groups, resolved with few questions."""

from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sparkscore.errors import ModelNotFound, RegistryUnreachable, TrustRefused
from sparkscore.model.registry import mlflow_registry
from sparkscore.model.registry.group_resolution import CopyFolders, resolve_group_models
from sparkscore.model.registry.model_resolution import PrivateCopy, describe_private_copy
from sparkscore.model.registry.model_uri import ModelUri
from sparkscore.records import WARNING_POLICY, PinnedModel, TrustPolicy
from tests.group_models import ALIAS, register_thousands, save_lines
from tests.model.shelf import Shelf

COUNT = 24


@pytest.fixture(scope="module")
def uri(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A registry with many models of two different files."""
    folders = save_lines(tmp_path_factory.mktemp("lines"), [1.0, 2.0])
    places = [folders[number % 2] for number in range(COUNT)]
    register_thousands(shelf.uri, [f"shop-{number}" for number in range(COUNT)], places)
    return shelf.uri


def resolve(
    uri: str, names: list[str], copies: Path, *, trust: TrustPolicy = WARNING_POLICY, described: list[str] | None = None
) -> dict[str, PinnedModel | ModelNotFound]:
    """By name, the model that the alias champion names."""

    def describe(copy: PrivateCopy) -> PinnedModel:
        if described is not None:
            described.append(copy.digest)
        return partial(describe_private_copy, runtime="auto", params={}, trust=trust)(copy)

    uris = [ModelUri(name, ALIAS, None) for name in names]
    found = resolve_group_models(uris, describe, CopyFolders(str(copies)), tracking_uri=uri, trust=trust)
    return {one.name: model for one, model in found.items()}


def test_many_are_found_by_one_search_and_equal_files_are_judged_once(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[str] = Counter()
    for name in ("search_registered_models", "get_registered_model", "get_model_version"):
        original = getattr(MlflowClient, name)

        def counted(self: MlflowClient, *args: object, _name: str = name, _original: object = original, **more: object):  # type: ignore[no-untyped-def]  # noqa: ANN202
            asked[_name] += 1
            return _original(self, *args, **more)  # type: ignore[operator]

        monkeypatch.setattr(MlflowClient, name, counted)
    described: list[str] = []

    found = resolve(uri, [f"shop-{number}" for number in range(COUNT)], tmp_path / "copies", described=described)

    assert asked == {"search_registered_models": 1}
    assert len(described) == len(set(described)) == 2
    models = [one for one in found.values() if isinstance(one, PinnedModel)]
    assert [(one.name, one.version) for one in models] == [(f"shop-{number}", "1") for number in range(COUNT)]
    assert models[0].digest == models[2].digest != models[1].digest


def test_what_the_registry_does_not_have_is_told_and_stops_no_other(uri: str, tmp_path: Path) -> None:
    found = resolve(uri, ["shop-1", "shop-none", "shop-2"], tmp_path / "copies")
    assert isinstance(found["shop-none"], ModelNotFound)
    assert isinstance(found["shop-1"], PinnedModel)
    assert isinstance(found["shop-2"], PinnedModel)


def test_a_name_that_is_not_trusted_ends_it(uri: str, tmp_path: Path) -> None:
    with pytest.raises(TrustRefused, match="shop-2"):
        resolve(uri, ["shop-1", "shop-2"], tmp_path / "copies", trust=TrustPolicy(names=("shop-1",)))


def test_a_registry_without_an_answer_ends_it(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RegistryUnreachable("no answer", "an answer", "ask again")

    monkeypatch.setattr(mlflow_registry, "locate_model_files", refuse)
    with pytest.raises(RegistryUnreachable):
        resolve(uri, ["shop-1"], tmp_path / "copies")
