"""The names that may be meant by a name that no setting has."""

import difflib
from collections.abc import Sequence

from pydantic import BaseModel

from sparkscore.settings.layers import iterate_setting_fields
from sparkscore.settings.setting_types import LocatedSetting


def suggest_setting_names(settings: type[BaseModel], path: Sequence[str | int], group: LocatedSetting) -> list[str]:
    """Right names for an unknown one, the nearest kind of mistake first.

    The same name but for case and dashes; the same name in another group; one like it in its group; one like it.
    """
    leaf = _fold_name(str(path[-1]).rpartition(".")[2])
    known = [*settings.model_fields, *(name for name, _ in iterate_setting_fields(settings))]
    beside = group.inner_names
    prefix = ".".join(map(str, group.path))
    here = {name: f"{prefix}.{name}".lstrip(".") for name in beside}
    if leaf in here:
        return [here[leaf]]
    if len(path) <= 2:
        elsewhere = [name for name in known if name.rpartition(".")[2] == leaf]
        if elsewhere:
            close = difflib.get_close_matches(leaf, beside, n=1, cutoff=0.9)
            return [*(here[name] for name in close), *elsewhere]
    begins = [name for name in beside if name.startswith(leaf) or leaf.startswith(name)]
    near = difflib.get_close_matches(leaf, beside, n=1) or begins
    return [here[near[0]]] if near else _find_similar_leaf(leaf, known) if len(path) <= 2 else []


def _find_similar_leaf(leaf: str, known: Sequence[str]) -> list[str]:
    leaves = [name.rpartition(".")[2] for name in known]
    near = difflib.get_close_matches(leaf, leaves, n=1, cutoff=0.75)
    return [name for name in known if near and name.rpartition(".")[2] == near[0]]


def _fold_name(name: str) -> str:
    return name.lower().replace("-", "_")
