"""Resolves the models of many groups at once: few calls to the registry, the rest side by side, equal files once."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, TypeVar

from sparkscore.errors import ModelError, ModelNotFound
from sparkscore.model.registry.mlflow_client import call_registry
from sparkscore.model.registry.mlflow_registry import MlflowRegistry
from sparkscore.model.registry.mlflow_settings import (
    limit_mlflow_downloads,
    limit_mlflow_retries,
    suppress_mlflow_output,
)
from sparkscore.model.registry.model_registry import ModelEntry
from sparkscore.model.registry.model_resolution import PrivateCopy, fetch_version
from sparkscore.model.registry.model_uri import ModelUri
from sparkscore.model.trust.model_trust import check_model_origin
from sparkscore.records import PinnedModel, TrustPolicy

_THREADS = 8
_SEARCHED_FROM = 20
"""So many models are looked for by one search and not one by one."""
_PAGE = 1_000
_SEARCHABLE = re.compile(r"[\w .-]+")
_CATALOGS = ("databricks", "uc:")
"""Registries that search for no names, or tell no aliases of what they find."""

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class CopyFolders:
    """Where private copies of models lie."""

    copies: str
    known: str | None = None
    """Another folder: what lies there is taken as it is."""


def resolve_group_models(
    uris: Collection[ModelUri],
    describe: Callable[[PrivateCopy], PinnedModel],
    folders: CopyFolders,
    *,
    tracking_uri: str | None,
    trust: TrustPolicy,
) -> Mapping[ModelUri, PinnedModel | ModelNotFound]:
    """The model that each URI names now, or why the registry has none. Files of one place are fetched once.

    Needs:   `describe`: what the files say, judged as the settings wish; it is asked once for equal files.
    Runs on: driver.
    Raises:  TrustRefused, SignatureError and ModelError with the model that they are of; AccessDenied;
             RegistryUnreachable.
    """
    registry = MlflowRegistry.open(tracking_uri)
    for uri in uris:
        check_model_origin(trust, name=uri.name, uris=registry.uris)
    with suppress_mlflow_output(), limit_mlflow_retries():  # once around the threads: these are of the whole process
        found = _find_entries(registry, uris)
    places = {entry.location: entry for entry in _found_alone(found).values()}
    with suppress_mlflow_output(), limit_mlflow_downloads():
        fetched = _ask_in_threads(places, lambda place: _fetch_copy(registry, places[place], folders))
    known = dict[str, PinnedModel]()

    def describe_found(one: ModelEntry | ModelNotFound) -> PinnedModel | ModelNotFound:
        if isinstance(one, ModelNotFound):
            return one
        copy = fetched[one.location]
        if isinstance(copy, ModelNotFound):
            return copy
        return _describe_copy(replace(copy, name=one.name, version=one.version), describe, known)

    return {uri: describe_found(one) for uri, one in found.items()}


def _found_alone(found: Mapping[ModelUri, ModelEntry | ModelNotFound]) -> Mapping[ModelUri, ModelEntry]:
    return {uri: one for uri, one in found.items() if not isinstance(one, ModelNotFound)}


def _find_entries(
    registry: MlflowRegistry, uris: Collection[ModelUri]
) -> Mapping[ModelUri, ModelEntry | ModelNotFound]:
    listed = _search_models(registry, {uri.name for uri in uris}) if len(uris) >= _SEARCHED_FROM else {}
    return _ask_in_threads(uris, lambda uri: _find_version_entry(registry, uri, listed.get(uri.name)))


def _search_models(registry: MlflowRegistry, names: Collection[str]) -> Mapping[str, Any]:
    """The registry's records of those models that a search for what their names have in common finds."""
    prefix = _common_start(names)
    if registry.uris[0].startswith(_CATALOGS) or not _SEARCHABLE.fullmatch(prefix):
        return {}
    found, token = dict[str, Any](), None
    for _ in range(2 + len(names) // _PAGE):  # others with such names are no reason to read all of the registry
        page = _search_page(registry, prefix, token)
        found |= {model.name: model for model in page if model.name in names}
        token = page.token
        if not token or len(found) == len(names):
            break
    return found


def _common_start(names: Collection[str]) -> str:
    first, last = min(names), max(names)
    same = (one == other for one, other in zip(first, last, strict=False))
    return first[: sum(takewhile(bool, same))]


def _search_page(registry: MlflowRegistry, prefix: str, token: str | None) -> Any:
    return call_registry(
        lambda: registry.handle.client.search_registered_models(
            f"name LIKE '{prefix}%'", max_results=_PAGE, page_token=token
        ),
        f"the models whose names begin with {prefix}",
    )


def _find_version_entry(registry: MlflowRegistry, uri: ModelUri, listed: Any) -> ModelEntry:
    aliases = {} if listed is None else listed.aliases
    version = str(aliases[uri.alias]) if uri.alias in aliases else registry.find_version(uri)
    newest = [] if listed is None else listed.latest_versions or []
    entry = next((one for one in newest if str(one.version) == version), None) or call_registry(
        lambda: registry.handle.client.get_model_version(uri.name, version),
        f"version {version} of the model {uri.name}",
    )
    return registry.describe_version(entry)


def _fetch_copy(registry: MlflowRegistry, entry: ModelEntry, folders: CopyFolders) -> PrivateCopy:
    folder, digest = fetch_version(registry, entry, folders.copies, folders.known)
    return PrivateCopy(entry.name, entry.version, digest, folder)


def _describe_copy(
    copy: PrivateCopy, describe: Callable[[PrivateCopy], PinnedModel], known: dict[str, PinnedModel]
) -> PinnedModel:
    if copy.digest not in known:
        try:
            known[copy.digest] = describe(copy)
        except ModelError as error:
            raise type(error)(f"{copy.name} version {copy.version}: {error.found}", error.expected, error.do) from error
    return replace(known[copy.digest], name=copy.name, version=copy.version)


def _ask_in_threads(asked: Iterable[Asked], answer: Callable[[Asked], Answer]) -> dict[Asked, Answer | ModelNotFound]:
    """The answer to each; what the registry does not have is one, too."""

    def ask(one: Asked) -> Answer | ModelNotFound:
        try:
            return answer(one)
        except ModelNotFound as missing:
            return missing

    asked = list(asked)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="sparkscore-models") as pool:
        return dict(zip(asked, pool.map(ask, asked), strict=True))
