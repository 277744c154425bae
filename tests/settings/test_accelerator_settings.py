from typing import Any

import pytest

from sparkscore.errors import ConfigError
from sparkscore.records import DEFAULT_ACCELERATOR, AcceleratorOptions
from sparkscore.settings import Settings


def settings_with(**flags: str) -> Settings:
    given = {"job": "j", "source.table": "s", "source.keys": "[id]", "output.table": "o", "model.uri": "models:/m/1"}
    return Settings.load(flags={**given, **{name.replace("__", "."): value for name, value in flags.items()}})


def test_by_default_nothing_is_asked_for() -> None:
    settings = settings_with()
    assert settings.model.accelerator_options == DEFAULT_ACCELERATOR
    assert settings.scoring.resources == {}


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ({"model__providers": "[tensorrt, cuda]"}, AcceleratorOptions(("tensorrt", "cuda"))),
        (
            {"model__providers": "[openvino]", "model__provider_fallback": "true"},
            AcceleratorOptions(("openvino",), provider_fallback=True),
        ),
        ({"model__torch__autocast": "bfloat16"}, AcceleratorOptions(autocast="bfloat16")),
        ({"model__torch__compile": "true"}, AcceleratorOptions(compile=True)),
    ],
)
def test_what_changes_values_is_in_the_scoring_digest(flags: dict[str, str], wanted: Any) -> None:
    settings = settings_with(**flags)
    assert settings.model.accelerator_options == wanted
    assert settings.scoring_digest() != settings_with().scoring_digest()


def test_resources_of_tasks_change_no_value() -> None:
    settings = settings_with(scoring__resources="{gpu: 0.5, cpus: 2}")
    assert settings.scoring.resources == {"gpu": 0.5, "cpus": 2}
    assert settings.scoring_digest() == settings_with().scoring_digest()


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ({"scoring__resources": "{cpus: 1.5}"}, "1.5 cpus"),
        ({"scoring__resources": "{gpu: 0.7}"}, "0.7 gpu"),
        ({"scoring__resources": "{gpu: 0}"}, "a number above 0"),
        ({"scoring__resources": "{gpu: 1}", "scoring__transport": "pandas_udf"}, "pandas_udf"),
        ({"model__providers": "[cuda, cuda]"}, "named twice"),
        ({"model__providers": "[gpu]"}, "gpu"),
        ({"model__provider_fallback": "true"}, "without providers"),
        ({"model__torch__autocast": "int8"}, "int8"),
    ],
)
def test_what_would_do_nothing_or_cannot_be_had_is_refused(flags: dict[str, str], found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        settings_with(**flags)
