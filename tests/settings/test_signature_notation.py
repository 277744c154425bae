"""A signature as a config writes it, and as MLflow does."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow.types import Schema
from mlflow.types.schema import AnyType, Array, ColSpec, DataType, Map, Object, Property

from sparkscore.errors import ConfigError
from sparkscore.settings.signature_notation import from_signature_specs, to_signature_specs
from tests.settings.test_job_settings import load_settings, settings_content, write_yaml

POINT = Object([Property("x", DataType.long), Property("y", Array(DataType.string), required=False)])
SCHEMAS: dict[str, tuple[Any, Schema]] = {
    "named": (
        {"a": "double", "b": "string?"},
        Schema([ColSpec("double", "a"), ColSpec("string", "b", required=False)]),
    ),
    "positions": (["double", "long"], Schema([ColSpec("double"), ColSpec("long")])),
    "one": ("double", Schema([ColSpec("double")])),
    "nested": (
        {"a": "array<array<long>>", "m": "map<any>", "p": {"x": "long", "y": "array<string>?"}, "q": [{"z": "float"}]},
        Schema(
            [
                ColSpec(Array(Array(DataType.long)), "a"),
                ColSpec(Map(AnyType()), "m"),  # type: ignore[no-untyped-call]
                ColSpec(POINT, "p"),
                ColSpec(Array(Object([Property("z", DataType.float)])), "q"),
            ]
        ),
    ),
}


@pytest.mark.parametrize("case", SCHEMAS)
def test_a_notation_is_what_mlflow_reads_and_back(case: str) -> None:
    notation, schema = SCHEMAS[case]
    assert Schema.from_json(json.dumps(to_signature_specs(notation))) == schema
    assert from_signature_specs(schema.to_dict()) == notation


def test_what_the_notation_has_no_words_for_is_mlflows_json() -> None:
    specs = Schema([ColSpec(Map(POINT), "m")]).to_dict()
    text = from_signature_specs(specs)
    assert isinstance(text, str)
    assert to_signature_specs(text) == specs


def test_mlflows_json_is_taken_as_text_and_as_yaml_reads_it(tmp_path: Path) -> None:
    specs = '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 3]}}]'
    file = write_yaml(tmp_path / "job.yaml", settings_content(model={"signature": {"inputs": specs}}))
    flags = {"model.signature.inputs": specs}
    plain = write_yaml(tmp_path / "plain.yaml", settings_content())
    for settings in (load_settings(file), load_settings(plain, flags=flags)):
        assert json.loads(settings.model.signature.to_parts()["inputs"]) == json.loads(specs)


@pytest.mark.parametrize(
    ("notation", "problem"),
    [
        ({"a": "real"}, "the type of a is 'real'"),
        ({"a": {"b": "array<real>"}}, "the type of a.b is 'real'"),
        ({"a": {}}, "a is an object without properties"),
        ({"a": 7}, "the type of a is 7"),
        (["double?"], "columns without names cannot be optional"),
        ("[{]", "not the JSON that MLflow writes"),
        ("[]", "expected a list of columns or tensors"),
    ],
)
def test_what_is_no_type_is_refused_by_its_place(notation: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        to_signature_specs(notation)


def test_a_config_says_it_in_any_layer_and_it_is_part_of_the_digest(tmp_path: Path) -> None:
    file = write_yaml(
        tmp_path / "job.yaml", settings_content(model={"signature": {"inputs": {"a": "double"}, "outputs": "double"}})
    )
    plain = write_yaml(tmp_path / "plain.yaml", settings_content())
    flags = {"model.signature.inputs": "{a: double}", "model.signature.outputs": "double"}
    settings = load_settings(file)
    assert settings.model.signature.to_parts() == {
        "inputs": '[{"name": "a", "type": "double", "required": true}]',
        "outputs": '[{"type": "double", "required": true}]',
    }
    assert settings.scoring_digest() == load_settings(plain, flags=flags).scoring_digest()
    assert settings.scoring_digest() != load_settings(plain).scoring_digest()


def test_a_mistake_is_told_by_the_setting(tmp_path: Path) -> None:
    file = write_yaml(tmp_path / "job.yaml", settings_content(model={"signature": {"inputs": {"a": "real"}}}))
    with pytest.raises(ConfigError, match=r"model\.signature\.inputs: the type of a is 'real'"):
        load_settings(file)
