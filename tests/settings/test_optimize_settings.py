import pytest

from sparkscore.errors import ConfigError
from sparkscore.settings import Settings

JOB = {"job": "j", "source": {"table": "t", "keys": ["id"]}, "model": {"uri": "models:/m/1"}, "output": {"table": "p"}}
FLAGS = {"job": "j", "source.table": "t", "source.keys": "[id]", "model.uri": "models:/m/1", "output.table": "p"}


def test_the_candidates_are_all_that_there_are_by_default() -> None:
    names = ("onnx", "onnx-optimized", "onnx-int8", "onnx-static-int8", "onnx-float16", "pruned")
    assert Settings(**JOB).optimize.candidates == names


def test_no_setting_of_it_changes_the_scoring_digest() -> None:
    other = Settings(**JOB, optimize={"candidates": ["onnx"], "sample_rows": 5, "promote": "champion"})
    assert other.scoring_digest() == Settings(**JOB).scoring_digest()


def test_a_flag_sets_a_limit() -> None:
    loaded = Settings.load(flags={**FLAGS, "optimize.tolerance.max_difference": "0.001"}, environ={})
    assert loaded.optimize.tolerance.max_difference == 0.001


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("optimize.candidates", "[onnx, onxx]", "onxx"),
        ("optimize.candidates", "[onnx, onnx]", "a candidate stands twice"),
        ("optimize.candidates", "[]", "at least one"),
        ("optimize.tolerance.max_flips", "2", "max_flips"),
    ],
)
def test_a_wrong_value_is_refused_with_its_setting(name: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Settings.load(flags={**FLAGS, name: value}, environ={})
