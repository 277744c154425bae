"""Section llm: what it takes, what it refuses, and how it stands in the place of `model.uri`."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkscore.errors import ConfigError
from sparkscore.redaction.secret_patterns import redact_secrets
from sparkscore.settings import Settings

LLM = {"base_url": "https://api.example.com/v1", "model": "small", "prompt": "Say {text}"}


def load(folder: Path, flags: dict[str, str] | None = None, **groups: Any) -> Settings:
    values = {"job": "texts", "source": {"table": "t", "keys": ["id"]}, "output": {"table": "p"}, **groups}
    file = folder / "job.yaml"
    file.write_text(yaml.safe_dump(values))
    return Settings.load(file, flags=flags, environ={})


def test_it_stands_in_the_place_of_a_model(tmp_path: Path) -> None:
    settings = load(tmp_path, llm=LLM)
    assert settings.model.uri == "endpoint:/small"
    assert settings.llm.columns == ("text",)
    assert settings.llm.request_parameters == {"temperature": 0.0, "seed": 0}


def test_a_job_without_it_asks_no_endpoint(tmp_path: Path) -> None:
    assert not load(tmp_path, model={"uri": "models:/late@champion"}).llm.is_used


def test_braces_of_a_template_are_no_unfilled_template_of_a_scheduler(tmp_path: Path) -> None:
    assert load(tmp_path, llm={**LLM, "prompt": 'Say {text} as {{"a": 1}}'}).llm.columns == ("text",)
    with pytest.raises(ConfigError, match="template"):
        load(tmp_path, llm={**LLM, "model": "{{ model }}"})


def test_the_key_is_a_secret_and_is_shown_nowhere(tmp_path: Path) -> None:
    settings = load(tmp_path, {"llm.api_key": "sk-proj-0123456789"}, llm=LLM)
    assert "0123456789" not in f"{settings!r} {settings.model_dump_json()}"
    assert redact_secrets("got sk-proj-0123456789") == "got ***"


@pytest.mark.parametrize(
    ("groups", "found"),
    [
        ({"llm": {**LLM, "prompt": "Say {text"}}, "single {"),
        ({"llm": {**LLM, "prompt": "Say {}"}}, "names no column"),
        ({"llm": {**LLM, "prompt": "Say it"}}, "names no column"),
        ({"llm": {"model": "small"}, "model": {"uri": "models:/a@b"}}, "no effect without base_url"),
        ({"llm": {"base_url": "https://a/v1", "model": "small"}}, "needs prompt"),
        ({"llm": LLM, "model": {"uri": "models:/late@champion"}}, "one of them scores"),
        ({"llm": LLM, "model": {"params": {"a": 1}}}, "model.params has no effect"),
        ({"model": {"uri": "endpoint:/small"}}, "section llm"),
        ({"llm": {**LLM, "base_url": "ftp://a"}}, "https://"),
        ({"llm": {**LLM, "base_url": "https://me:geheim@a/v1"}}, "no credentials"),
        ({"llm": {**LLM, "base_url": "http://api.example.com/v1", "api_key": "sk-0123456789"}}, "in the clear"),
        ({"llm": {**LLM, "api_key_header": "api-key"}}, "without api_key"),
        ({"llm": {**LLM, "parameters": {"temperature": 1}}}, "set by the job"),
        ({"llm": {**LLM, "route": "embedding", "max_tokens": 5}}, "no effect with route embedding"),
        ({"llm": {**LLM, "texts_per_request": 5}}, "without route embedding"),
        ({"llm": {**LLM, "output": {"type": "class"}}}, "needs classes"),
        ({"llm": {**LLM, "output": {"classes": ["a"]}}}, "without type: class"),
        ({"llm": {**LLM, "output": {"type": "class", "classes": ["a", "a"]}}}, "twice"),
    ],
)
def test_what_cannot_be_right_is_refused(tmp_path: Path, groups: dict[str, Any], found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        load(tmp_path, **groups)


def test_settings_that_are_written_out_are_read_back(tmp_path: Path) -> None:
    settings = load(tmp_path, llm={**LLM, "output": {"type": "class", "classes": ["a", "b"]}})
    assert Settings(**settings.model_dump(mode="json")) == settings
