"""Labels of classes from a model's files: nothing of it is loaded."""

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from sparkscore.model.signature.class_labels import find_class_labels
from sparkscore.records import WARNING_POLICY, Label


def write_mlmodel(folder: Path, flavor: str, **more: Any) -> str:
    flavors = {flavor: {}, "python_function": {"loader_module": "mlflow.sklearn"}}
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors, **more}))
    return str(folder)


def object_node(**content: Any) -> dict[str, Any]:
    return {"__loader__": "ObjectNode", "content": {"__loader__": "DictNode", "content": content}}


def write_skops(folder: Path, node: dict[str, Any], *arrays: Any) -> None:
    with zipfile.ZipFile(folder / "model.skops", "w") as archive:
        archive.writestr("schema.json", json.dumps(node))
        for index, array in enumerate(arrays):
            buffer = io.BytesIO()
            np.save(buffer, array)
            archive.writestr(f"{index}.npy", buffer.getvalue())


def array_node(index: int) -> dict[str, Any]:
    return {"__loader__": "NdArrayNode", "file": f"{index}.npy"}


def in_pipeline(*steps: dict[str, Any]) -> dict[str, Any]:
    return object_node(steps={"content": [{"content": [{}, step]} for step in steps]})


@pytest.mark.parametrize(
    ("node", "array", "labels"),
    [
        (object_node(classes_=array_node(0)), np.array(["no", "ü"]), ("no", "ü")),
        (in_pipeline(object_node(), object_node(classes_=array_node(0))), np.array([1, 2, 5]), (1, 2, 5)),
        (object_node(best_estimator_=object_node(classes_=array_node(0))), np.array([0.0, 1.0]), (0, 1)),
        (object_node(classes_=array_node(0)), np.array([False, True]), ("False", "True")),
        (object_node(), np.array([0]), ()),
        ({"content": 7}, np.array([0]), ()),
        (object_node(classes_=array_node(1)), np.array([0]), ()),
    ],
)
def test_of_a_scikit_learn_model_that_skops_has_written(
    tmp_path: Path, node: dict[str, Any], array: Any, labels: tuple[Label, ...]
) -> None:
    write_skops(tmp_path, node, array)
    assert find_class_labels(write_mlmodel(tmp_path, "sklearn"), WARNING_POLICY) == labels


class Hostile:
    """What a pickled array would run."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.sentinel,)


def test_a_pickle_in_an_array_and_a_pickled_model_are_not_run(tmp_path: Path) -> None:
    sentinel = tmp_path / "sentinel"
    with zipfile.ZipFile(tmp_path / "model.skops", "w") as archive:
        archive.writestr("schema.json", json.dumps(object_node(classes_=array_node(0))))
        buffer = io.BytesIO()
        np.save(buffer, np.array([Hostile(sentinel)], dtype=object), allow_pickle=True)
        archive.writestr("0.npy", buffer.getvalue())
    assert find_class_labels(write_mlmodel(tmp_path, "sklearn"), WARNING_POLICY) == ()
    (tmp_path / "model.skops").write_bytes(pickle.dumps(Hostile(sentinel)))
    assert find_class_labels(str(tmp_path), WARNING_POLICY) == ()
    assert not sentinel.exists()


def test_the_metadata_of_the_mlmodel_file_comes_first(tmp_path: Path) -> None:
    write_skops(tmp_path, object_node(classes_=array_node(0)), np.array([0, 1]))
    folder = write_mlmodel(tmp_path, "sklearn", metadata={"class_names": ["no", "late"]})
    assert find_class_labels(folder, WARNING_POLICY) == ("no", "late")


def test_numbers_of_the_metadata_are_numbers(tmp_path: Path) -> None:
    assert find_class_labels(write_mlmodel(tmp_path, "lightgbm", metadata={"classes": [0, 1]}), WARNING_POLICY) == (
        0,
        1,
    )


def test_of_a_transformers_model_and_of_catboost(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps({"id2label": {"0": "NEGATIVE", "1": "POSITIVE"}}))
    assert find_class_labels(write_mlmodel(tmp_path, "transformers"), WARNING_POLICY) == ("NEGATIVE", "POSITIVE")
    parts = b'CBM1\x00{"class_names":[],"x":1}\x00{"class_names":["a]","\xc3\xbc"],"class_to_label":[0,1]}\x00'
    (tmp_path / "model.cb").write_bytes(parts)
    assert find_class_labels(write_mlmodel(tmp_path, "catboost"), WARNING_POLICY) == ("a]", "ü")


def test_where_no_file_says_them_there_are_none(tmp_path: Path) -> None:
    for flavor in ("sklearn", "onnx", "transformers", "catboost", "lightgbm"):
        assert find_class_labels(write_mlmodel(tmp_path, flavor), WARNING_POLICY) == ()
