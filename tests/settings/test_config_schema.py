"""The JSON Schema of config files: what editors say of them is what the settings say."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from ci.reference.config_schema_file import SCHEMA_FILE, find_stale_schema

from sparkscore.settings import Settings
from sparkscore.settings.config_schema import build_config_schema
from sparkscore.settings.layers import iterate_setting_fields

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("conf/examples", "conf/env", "conf/databricks")
EXAMPLES = [
    ROOT / "conf" / "quickstart.yaml",
    *(file for folder in FOLDERS for file in sorted((ROOT / folder).glob("*.yaml"))),
]


@pytest.fixture(scope="module")
def validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    schema = build_config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_file_is_what_the_settings_say() -> None:
    assert find_stale_schema(SCHEMA_FILE) == []


def test_a_stale_file_is_named_with_the_command_that_makes_it_fresh(tmp_path: Path) -> None:
    assert "python -m ci.reference" in find_stale_schema(tmp_path / "sparkscore.schema.json")[0]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_is_valid_and_names_the_schema_for_editors(file: Path, validator: Any) -> None:
    text = file.read_text()
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []
    first = text.splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (file.parent / first.partition("=")[2]).resolve() == SCHEMA_FILE


@pytest.mark.parametrize(
    "text",
    [
        "outputs: {table: p}",
        "source: {kyes: [a]}",
        "scoring: {transport: fast}",
        "drift: {psi: high}",
        "source: {where: [{op: '=', value: 1}]}",
    ],
)
def test_what_the_settings_refuse_an_editor_marks(text: str, validator: Any) -> None:
    assert list(validator.iter_errors(yaml.safe_load(text)))


def test_an_overlay_of_one_setting_is_valid(validator: Any) -> None:
    assert list(validator.iter_errors({"output": {"threshold": 0.5}})) == []


def test_every_setting_has_its_description() -> None:
    schema = build_config_schema()
    for name, info in iterate_setting_fields(Settings):
        node: Any = schema
        for part in name.split("."):
            reference = node.get("$ref")
            node = schema["$defs"][reference.rpartition("/")[2]] if reference else node
            node = node["properties"][part]
        assert node["description"] == " ".join(str(info.description).split())
