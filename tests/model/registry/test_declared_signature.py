"""A model that was logged without a signature: the config says what it takes and gives."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import ModelSignature

from sparkscore.errors import SignatureError
from sparkscore.model.registry.model_resolution import resolve_model
from sparkscore.model.signature.declared_signature import declare_signature, propose_signature
from sparkscore.records import PinnedModel
from sparkscore.settings.signature_settings import SignatureSettings
from tests.model.shelf import Answers, Shelf, columns, signature

SAID = SignatureSettings(inputs={"x": "double", "n": "long"}, outputs="double").to_parts()
LABELLED = SignatureSettings(inputs={"x": "double", "n": "long"}, outputs={"p": "double"}).to_parts()


@pytest.fixture(scope="module")
def unsigned(shelf: Shelf) -> str:
    """A model without a signature, logged with an example of what it takes."""
    example = pd.DataFrame({"x": [1.5], "n": [2]})
    model = Answers(lambda frame: frame["x"] * frame["n"])
    return shelf.put("unsigned", model, False, input_example=example)  # type: ignore[arg-type]


def resolved(shelf: Shelf, uri: str, said: Mapping[str, str]) -> PinnedModel:
    """The model as a run pins it."""
    return resolve_model(uri, tracking_uri=shelf.uri, runtime="auto", params={}, signature=said, copies=shelf.copies)


def test_the_error_proposes_what_the_example_says(shelf: Shelf, unsigned: str) -> None:
    with pytest.raises(SignatureError, match="no inputs and no outputs in the model's signature") as caught:
        resolved(shelf, unsigned, {})
    proposal = {"inputs": {"x": "double", "n": "long"}, "outputs": "double"}
    assert caught.value.do.endswith(f"(from the model's input example): model.signature: {json.dumps(proposal)}")
    assert caught.value.exit_code == 4
    assert SignatureSettings(**proposal).to_parts() == SAID


@pytest.mark.usefixtures("own_environment")
@pytest.mark.parametrize("runtime", ["sklearn", "pyfunc"])
def test_what_the_config_says_is_used(shelf: Shelf, unsigned: str, runtime: str) -> None:
    placed = shelf.placed(unsigned, runtime=runtime, signature=LABELLED)
    assert [(one.name, one.type) for one in placed.model.inputs] == [("x", pa.float64()), ("n", pa.int64())]
    assert placed.model.parts.name == "p"
    assert placed.scorer()([pa.array([1.5, 0.5]), pa.array([2, 3])]).predictions.to_pylist() == [3.0, 1.5]


def test_a_side_that_the_model_lacks_is_taken_beside_the_one_that_it_has(shelf: Shelf) -> None:
    answer = Answers(lambda frame: frame["x"])
    uri = shelf.put("half-signed", answer, ModelSignature(inputs=columns(x="double")))
    with pytest.raises(SignatureError, match="no outputs in the model's signature") as caught:
        resolved(shelf, uri, {})
    assert caught.value.do.endswith('for example: model.signature: {"outputs": "double"}')
    assert resolved(shelf, uri, {"outputs": SAID["outputs"]}).output == pa.float64()


def own(**more: Any) -> dict[str, Any]:
    """What MLflow writes of a model with a signature."""
    return {"signature": signature(columns(x="double", n="long?"), columns(p="double")).to_dict()} | more


def test_what_agrees_with_the_models_own_changes_nothing() -> None:
    said = SignatureSettings(inputs={"x": "double", "n": "long?"}, outputs={"p": "double"}).to_parts()
    assert declare_signature(own(), said) == own()


@pytest.mark.parametrize(
    ("notation", "problem"),
    [
        ({"x": "double", "n": "long"}, 'inputs: 2. is {"n": "long?"} in the model, {"n": "long"} in the config'),
        ({"x": "float", "n": "long?"}, 'inputs: 1. is {"x": "double"} in the model, {"x": "float"} in the config'),
        ({"x": "double"}, "inputs: 2 in the model, 1 in the config"),
    ],
)
def test_what_differs_from_the_models_own_is_refused(notation: Any, problem: str) -> None:
    with pytest.raises(SignatureError) as caught:
        declare_signature(own(), SignatureSettings(inputs=notation).to_parts())
    assert caught.value.found == f"model.signature differs from the signature that the model has: {problem}"


def test_an_example_outside_of_the_folder_is_not_read(shelf: Shelf, unsigned: str) -> None:
    folder = shelf.files("unsigned")
    assert propose_signature(folder, {"saved_input_example_info": {"artifact_path": "../x.json"}}) == {}
    assert propose_signature(folder, {}) == {}
