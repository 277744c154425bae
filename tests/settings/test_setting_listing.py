"""Every setting with its value and its origin."""

from pathlib import Path

import pytest

from sparkscore.settings import Settings
from sparkscore.settings.layers import iterate_setting_fields
from sparkscore.settings.setting_listing import ListedSetting, SettingOrigin, list_setting_origins

JOB = """\
job: j
source:
  table: t
  keys: [id]
  where: [{column: pay, op: "=", value: 77777}]
  sensitive: [pay]
model:
  uri: models:/m@c
  inputs: {token: a, x: b}
output: {table: p, threshold: 0.5}
"""


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "job.yaml").write_text(JOB)
    (tmp_path / "prod.yaml").write_text("model:\n  inputs:\n    x: c\noutput: {threshold: 0.7}\n")
    return [str(tmp_path / "job.yaml"), str(tmp_path / "prod.yaml")]


def find(listed: list[ListedSetting], name: str) -> ListedSetting:
    return next(one for one in listed if one.name == name)


def test_every_setting_is_listed(files: list[str]) -> None:
    _, listed = list_setting_origins(files, {}, {})
    names = {one.name for one in listed}
    missing = [name for name, _ in iterate_setting_fields(Settings) if not any(one.startswith(name) for one in names)]
    assert missing == []


def test_a_value_has_the_file_and_the_line_that_gives_it_last(files: list[str]) -> None:
    _, listed = list_setting_origins(files, {}, {})
    assert find(listed, "output.threshold") == ListedSetting(
        "output.threshold", 0.7, SettingOrigin("file", files[1], 4)
    )
    assert find(listed, "output.table").origin == SettingOrigin("file", files[0], 10)


def test_entries_of_a_mapping_have_the_origin_of_each(files: list[str]) -> None:
    _, listed = list_setting_origins(files, {}, {})
    assert find(listed, "model.inputs.x").origin == SettingOrigin("file", files[1], 3)
    assert find(listed, "model.inputs.token") == ListedSetting(
        "model.inputs.token", "a", SettingOrigin("file", files[0], 9)
    )


def test_variables_and_flags_are_named_as_they_are_spelled(files: list[str]) -> None:
    environ = {"SPARKSCORE_DRIFT__PSI": "0.3"}
    _, listed = list_setting_origins(files, {"output.threshold": "0.9"}, environ)
    assert find(listed, "drift.psi").origin == SettingOrigin("environment", "SPARKSCORE_DRIFT__PSI")
    assert find(listed, "output.threshold").origin == SettingOrigin("flag", "--output.threshold")


def test_what_nobody_gives_is_a_default_or_derived_of_other_settings(files: list[str], tmp_path: Path) -> None:
    _, listed = list_setting_origins(files, {}, {})
    assert find(listed, "scoring.transport").origin.text == "default"
    endpoint = tmp_path / "llm.yaml"
    endpoint.write_text(
        "job: j\nsource: {table: t, keys: [id]}\noutput: {table: p}\n"
        "llm: {base_url: 'http://127.0.0.1:1/v1', model: small, prompt: 'Of {a}'}\n"
    )
    _, listed = list_setting_origins([endpoint], {}, {})
    assert find(listed, "model.uri").origin.text == "derived"


def test_secrets_and_values_of_sensitive_columns_are_masked(files: list[str]) -> None:
    environ = {"SPARKSCORE_MONITOR__WEBHOOK": "https://hooks.example.com/services/T0/B0/abcdefgh"}
    _, listed = list_setting_origins(files, {}, environ)
    shown = repr(listed)
    assert "abcdefgh" not in shown
    assert find(listed, "monitor.webhook").value == "***"
    assert "77777" not in find(listed, "source.where").text
    assert "column: pay" in find(listed, "source.where").text


def test_a_secret_that_is_not_set_is_no_secret(files: list[str]) -> None:
    _, listed = list_setting_origins(files, {}, {})
    assert find(listed, "monitor.webhook").value is None


def test_what_is_secret_by_its_name_is_hidden_in_lists_of_mappings_too(files: list[str], tmp_path: Path) -> None:
    nested = tmp_path / "nested.yaml"
    nested.write_text(
        "model:\n  params:\n    tools: {all: [{name: search, api_key: abc}, {inner: [{password: no1}]}]}\n"
    )
    _, listed = list_setting_origins([*files, str(nested)], {}, {})
    assert find(listed, "model.params.tools.all").value == [
        {"name": "search", "api_key": "***"},
        {"inner": [{"password": "***"}]},
    ]
