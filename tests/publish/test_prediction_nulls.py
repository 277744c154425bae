"""Which parts of a prediction may be NULL."""

import pyarrow as pa
import pytest

from sparkscore.errors import ConfigError
from sparkscore.publish.prediction_nulls import choose_nullable_parts
from sparkscore.records import NO_OUTPUT_PARTS, OutputParts
from sparkscore.settings.output_settings import OutputSettings

LISTS = pa.list_(pa.struct([("x", pa.float64())]))
OUTPUT = pa.struct([("score", pa.float64()), ("items", LISTS), ("prediction", pa.float64())])


def nullable_parts(
    output: pa.DataType, parts: OutputParts, names: list[str], *, threshold: float | None = None
) -> frozenset[str]:
    settings = OutputSettings(table="t", allow_null=tuple(names), threshold=threshold)
    return choose_nullable_parts(output, parts, settings)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("score", "prediction.score"),
        ("prediction.score", "prediction.score"),
        ("items", "prediction.items"),
        ("items.element", "prediction.items.element"),
        ("items.element.x", "prediction.items.element.x"),
        ("prediction", "prediction.prediction"),
    ],
)
def test_a_part_is_named_by_its_field_or_its_path(name: str, path: str) -> None:
    assert nullable_parts(OUTPUT, NO_OUTPUT_PARTS, [name]) == {path}


def test_the_whole_prediction_and_the_items_of_a_list_have_names() -> None:
    for output in (pa.float64(), LISTS):
        assert nullable_parts(output, NO_OUTPUT_PARTS, ["prediction"]) == {"prediction"}
    assert nullable_parts(LISTS, NO_OUTPUT_PARTS, ["element.x"]) == {"prediction.element.x"}


def test_what_the_signature_calls_optional_needs_no_setting() -> None:
    parts = OutputParts(optional=frozenset({"prediction.score"}))
    assert nullable_parts(OUTPUT, parts, ["items"]) == {"prediction.score", "prediction.items"}
    assert nullable_parts(OUTPUT, parts, []) == {"prediction.score"}


def test_an_unknown_part_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"output.allow_null names scores, item: ") as caught:
        nullable_parts(OUTPUT, NO_OUTPUT_PARTS, ["scores", "score", "item"])
    assert caught.value.expected == "some of: prediction, score, items, items.element, items.element.x, prediction"
    with pytest.raises(ConfigError, match="no such part"):
        nullable_parts(pa.float64(), NO_OUTPUT_PARTS, ["score"])


def test_with_a_threshold_the_prediction_is_one_number() -> None:
    assert nullable_parts(pa.list_(pa.float64()), NO_OUTPUT_PARTS, ["prediction"], threshold=0.5) == {"prediction"}
    with pytest.raises(ConfigError, match="no such part"):
        nullable_parts(pa.list_(pa.float64()), NO_OUTPUT_PARTS, ["element"], threshold=0.5)
