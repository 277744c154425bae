"""The labels of a model's classes, from its own files; nothing of the model is loaded or run. Runs on the driver."""

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sparkscore.model.trust.mlmodel_file import read_mlmodel
from sparkscore.records import Label, TrustPolicy

_MAX_BYTES = 64 << 20
"""Of what is read of a file: labels are a small part of it."""
_METADATA_KEYS = ("class_names", "classes", "class_labels", "labels")
_CATBOOST_NAMES, _MAX_CATBOOST_LABELS = rb'"class_names":(?=\[)', 1 << 20
_ONNX_LABELS = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")


def find_class_labels(folder: str, trust: TrustPolicy) -> tuple[Label, ...]:
    """The labels of the model's classes in the order of its values; none where its files do not say them.

    From the MLmodel file's `metadata` (`class_names`), a scikit-learn model that skops has written, an ONNX graph, the
    config of a transformers model, a CatBoost model.

    Raises:  ModelError, TrustRefused, SignatureError as `read_mlmodel`.
    """
    mlmodel = read_mlmodel(folder, trust)
    named = _normalise_labels(_find_in_metadata(mlmodel))
    if named:
        return named
    for flavor, settings in mlmodel["flavors"].items():
        find = _FINDERS.get(flavor)
        if find is not None and isinstance(settings, dict):
            found = _read_safely(find, Path(folder), settings)
            if found:
                return found
    return ()


def _read_safely(
    find: Callable[[Path, Mapping[str, Any]], object], folder: Path, settings: Mapping[str, Any]
) -> tuple[Label, ...]:
    """What a finder finds; nothing for a file of another form: the config can name the labels."""
    try:
        return _normalise_labels(find(folder, settings))
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, zipfile.BadZipFile):
        return ()


def _normalise_labels(found: object) -> tuple[Label, ...]:
    """Labels as whole numbers, where all are, or else as texts."""
    if not isinstance(found, list | tuple) or not found:
        return ()
    plain = [one.item() if isinstance(one, np.generic) else one for one in found]
    whole = [int(one) for one in plain if _is_whole(one)]
    if len(whole) == len(plain):
        return tuple(whole)
    return tuple(str(one) for one in plain) if all(isinstance(one, str | int | float) for one in plain) else ()


def _is_whole(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _find_in_metadata(mlmodel: Mapping[str, Any]) -> object:
    metadata = mlmodel.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    return next((named[key] for key in _METADATA_KEYS if named.get(key)), None)


def _read_bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_BYTES)


def _find_in_skops(folder: Path, settings: Mapping[str, Any]) -> object:
    """`classes_` of the last step of a pipeline, or of the estimator itself."""
    path = folder / str(settings.get("pickled_model", "model.skops"))
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo("schema.json").file_size > _MAX_BYTES:
            return None
        node = json.loads(archive.read("schema.json"))
        for fitted in _iterate_estimators(node):
            classes = fitted.get("classes_")
            if isinstance(classes, dict):
                return _read_skops_array(archive, classes)
    return None


def _iterate_estimators(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The attributes of an estimator, and of what it hands its rows to: the last step, the best of a search."""
    content = node["content"]["content"] if node.get("__loader__") == "ObjectNode" else {}
    yield content
    for name in ("best_estimator_", "estimator"):
        if isinstance(content.get(name), dict):
            yield from _iterate_estimators(content[name])
    steps = content.get("steps")
    if isinstance(steps, dict):
        yield from _iterate_estimators(steps["content"][-1]["content"][-1])


def _read_skops_array(archive: zipfile.ZipFile, node: Mapping[str, Any]) -> object:
    if archive.getinfo(node["file"]).file_size > _MAX_BYTES:
        return None
    return list(np.load(io.BytesIO(archive.read(node["file"])), allow_pickle=False).ravel())


def _find_in_onnx(folder: Path, settings: Mapping[str, Any]) -> object:
    """The attribute of the graph's last node that has labels. Needs the package onnx, which the flavour brings."""
    try:
        import onnx
    except ImportError:
        return None
    path = folder / str(settings.get("data", "model.onnx"))
    graph = onnx.load(str(path), load_external_data=False).graph
    for node in reversed(graph.node):
        for attribute in node.attribute:
            if attribute.name in _ONNX_LABELS and (attribute.strings or attribute.ints):
                return [text.decode() for text in attribute.strings] or list(attribute.ints)
    return None


def _find_in_transformers(folder: Path, settings: Mapping[str, Any]) -> object:
    path = folder / str(settings.get("model_binary", "model")) / "config.json"
    labels = json.loads(_read_bounded(path))["id2label"]
    return [labels[str(index)] for index in range(len(labels))]


def _find_in_catboost(folder: Path, settings: Mapping[str, Any]) -> object:
    """The last list of class names in the JSON texts that a CatBoost model carries among its parameters."""
    content = _read_bounded(folder / str(settings.get("data", "model.cb")))
    found: object = None
    for place in re.finditer(_CATBOOST_NAMES, content):
        text = content[place.end() : place.end() + _MAX_CATBOOST_LABELS].decode("utf-8", "replace")
        found = json.JSONDecoder().raw_decode(text)[0] or found
    return found


_FINDERS: Mapping[str, Callable[[Path, Mapping[str, Any]], object]] = {
    "sklearn": _find_in_skops,
    "onnx": _find_in_onnx,
    "transformers": _find_in_transformers,
    "catboost": _find_in_catboost,
}
