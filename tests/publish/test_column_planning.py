"""What each of `output.columns` becomes: its type, what it reads, and what is refused before a row is read."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sparkscore.errors import ConfigError, ModelError, SparkscoreError
from sparkscore.publish.calibration_file import read_calibration
from sparkscore.publish.column_planning import plan_output_columns
from sparkscore.publish.known_columns import OutputContext, PlannedOutputs
from sparkscore.records import (
    CopyValue,
    GreatestLabel,
    Interpolation,
    Label,
    LookUp,
    LookupRows,
    SelectElement,
    SelectField,
    Sigmoid,
    TopValues,
)
from sparkscore.settings.output_column_settings import OutputColumnSettings

LIST, NUMBER = pa.list_(pa.float64()), pa.float64()
SCORES = pa.struct([("no", pa.float32()), ("late", pa.float32())])
NESTED = pa.struct([("score", NUMBER), ("a.b", pa.struct([("c", pa.string())])), ("p", LIST)])
ACTIONS = pa.table({"band": ["low", "high"], "action": ["none", "call"], "cost": [0.5, 2.0]})


def plan(
    output: pa.DataType,
    *columns: dict[str, Any],
    labels: tuple[Label, ...] = ("no", "late"),
    size: int | None = None,
    rows: pa.Table = ACTIONS,
    folder: str = "/nowhere",
    part: str = "prediction",
) -> PlannedOutputs:
    context = OutputContext(
        {"id": pa.int64(), "carrier": pa.string(), "price": pa.decimal128(9, 2), "prediction": output},
        lambda: labels,
        lambda path: read_calibration(folder, path),
        lambda lookup: LookupRows("t", 3, rows.select([*lookup.key, lookup.value])),
        {} if size is None else {part: size},
    )
    return plan_output_columns([OutputColumnSettings(**{"name": "x", **one}) for one in columns], context)


@pytest.mark.parametrize(
    ("output", "given", "operation", "kind"),
    [
        (LIST, {"probability": "late"}, SelectElement(1), NUMBER),
        (NUMBER, {"probability": "late"}, CopyValue(), NUMBER),
        (NUMBER, {"probability": "no"}, SelectElement(0), NUMBER),
        (SCORES, {"probability": "late"}, SelectField(("late",)), NUMBER),
        (LIST, {"element": "late"}, SelectElement(1), NUMBER),
        (pa.list_(pa.string()), {"element": 7}, SelectElement(7), pa.string()),
        (LIST, {"argmax": True}, GreatestLabel(("no", "late")), pa.string()),
        (SCORES, {"argmax": True}, GreatestLabel(("no", "late")), pa.string()),
        (
            LIST,
            {"top": 2},
            TopValues(("no", "late"), 2),
            pa.list_(pa.struct([("label", pa.string()), ("value", NUMBER)])),
        ),
        (NESTED, {"field": "a.b.c"}, SelectField(("a.b", "c")), pa.string()),
        (NESTED, {"field": "score", "round": 2}, SelectField(("score",)), NUMBER),
        (pa.int32(), {"clip": [0, None]}, CopyValue(), pa.int32()),
        (pa.float32(), {"clip": [0.5, None]}, CopyValue(), NUMBER),
        (LIST, {"of": "carrier"}, CopyValue(), pa.string()),
    ],
)
def test_the_operation_and_its_type(
    output: pa.DataType, given: dict[str, Any], operation: object, kind: pa.DataType
) -> None:
    (made,) = plan(output, given).columns
    assert (made.operation, made.type) == (operation, kind)
    assert made.comment


def test_labels_that_are_numbers_give_a_column_of_numbers() -> None:
    (made,) = plan(LIST, {"argmax": True}, labels=(1, 2, 5)).columns
    assert (made.operation, made.type) == (GreatestLabel((1, 2, 5)), pa.int64())
    (made,) = plan(LIST, {"probability": "5"}, labels=(1, 2, 5)).columns
    assert made.operation == SelectElement(2)


def test_columns_build_on_those_before_them() -> None:
    made = plan(
        NESTED, {"name": "p", "field": "p"}, {"name": "l", "of": "p", "argmax": True}, size=2, part="prediction.p"
    )
    assert [one.reads for one in made.columns] == [("prediction",), ("p",)]
    assert made.list_sizes == ()
    assert plan(LIST, {"argmax": True}).list_sizes == (("prediction", 2),)


def test_a_lookup_has_its_keys_in_order_and_the_type_of_its_value() -> None:
    given = {"lookup": {"table": "actions", "key": {"band": "carrier"}, "value": "cost", "default": 1}}
    (made,) = plan(LIST, given).columns
    assert made.operation == LookUp(("carrier",), ("high", "low"), ("2", "0.5"), "1")
    assert (made.type, made.reads) == (NUMBER, ("carrier",))


def lookup(**settings: Any) -> dict[str, Any]:
    return {"lookup": {"table": "actions", "key": {"band": "carrier"}, "value": "action", **settings}}


TIMES = pa.table({"band": ["low"], "action": pa.array([0], pa.timestamp("us"))})


@pytest.mark.parametrize(
    ("output", "given", "more", "words"),
    [
        (LIST, {"probability": "lat"}, {}, "the class 'lat' .did you mean late"),
        (SCORES, {"probability": "yes"}, {}, "the class 'yes' .late, no"),
        (LIST, {"argmax": True}, {"labels": ()}, "needs labels"),
        (LIST, {"argmax": True}, {"labels": ("a", "a")}, "the label a stands for two classes"),
        (LIST, {"argmax": True}, {"size": 3}, "holds 3 values, and there are 2 labels: no, late"),
        (NUMBER, {"argmax": True}, {"labels": ("a", "b", "c")}, "holds 2 values, and there are 3 labels"),
        (pa.string(), {"argmax": True}, {}, "argmax of prediction .string"),
        (LIST, {"top": 3}, {}, "top 3 of 2 classes"),
        (LIST, {"element": 2}, {"size": 2}, "element 2"),
        (NUMBER, {"element": 0}, {}, "element 0 of prediction .double"),
        (NESTED, {"field": "scor"}, {}, "field scor .*did you mean score"),
        (LIST, {"field": "score"}, {}, "field score of prediction .list"),
        (LIST, {"bins": {"edges": [1], "labels": ["a", "b"]}}, {}, "bins of prediction .list"),
        (NUMBER, {"threshold": {"default": 0.5, "by": "price", "values": {"1": 0.1}}}, {}, "threshold.by price"),
        (pa.string(), {"round": 1}, {}, "clip or round of a string"),
        (pa.int64(), {"round": 1}, {}, "round of a whole number"),
        (pa.int64(), {"clip": [0.5, None]}, {}, "of a whole number"),
        (pa.struct([("${x}", NUMBER)]), {"field": "${x}"}, {}, "name has"),
        (LIST, lookup(key={"band": "id"}), {}, "its key band is string, and id is int64"),
        (LIST, lookup(default=3), {}, "action is string, and lookup.default is 3"),
        (LIST, lookup(), {"rows": TIMES}, "action is timestamp"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_nearest_name(
    output: pa.DataType, given: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        plan(output, given, **more)
    assert caught.value.found.startswith("output.columns, x")


def test_a_calibration_is_a_curve_or_a_sigmoid(tmp_path: Path) -> None:
    (tmp_path / "curve.json").write_text(json.dumps({"method": "isotonic", "x": [0, 1], "y": [0.1, 0.9]}))
    (tmp_path / "platt.json").write_text(json.dumps({"method": "platt", "slope": -1, "intercept": 0.5}))
    made = plan(NUMBER, {"calibrate": "curve.json"}, {"calibrate": "platt.json"}, folder=str(tmp_path)).columns
    assert [one.operation for one in made] == [Interpolation((0.0, 1.0), (0.1, 0.9)), Sigmoid(-1.0, 0.5)]


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (None, ConfigError, "no file of the model"),
        ("{", ModelError, "no JSON"),
        ("[" * 100_000, ModelError, "no JSON"),
        ('{"method": "beta"}', ModelError, "no calibration"),
        ('{"method": "isotonic", "x": [0, 1]}', ModelError, "the method isotonic with x"),
        ('{"method": "isotonic", "x": [0, 0], "y": [0, 1]}', ModelError, "do not ascend"),
        ('{"method": "isotonic", "x": [0, 1], "y": [0]}', ModelError, "2 numbers x and 1 numbers y"),
        ('{"method": "isotonic", "x": [0, NaN], "y": [0, 1]}', ModelError, "finite"),
        ('{"method": "platt", "slope": true, "intercept": 0}', ModelError, "finite"),
        ('{"method": "platt", "slope": "1", "intercept": 0}', ModelError, "finite"),
    ],
)
def test_a_calibration_file_that_is_missing_or_of_another_kind_is_refused(
    tmp_path: Path, content: str | None, kind: type[SparkscoreError], words: str
) -> None:
    if content is not None:
        (tmp_path / "c.json").write_text(content)
    with pytest.raises(kind, match=words):
        read_calibration(str(tmp_path), "c.json")


@pytest.mark.parametrize("path", ["../outside.json", "/etc/hostname", "link.json", "."])
def test_no_file_outside_of_the_model_is_read(tmp_path: Path, path: str) -> None:
    (tmp_path / "outside.json").write_text('{"method": "platt", "slope": 1, "intercept": 0}')
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "link.json").symlink_to(tmp_path / "outside.json")
    with pytest.raises(ConfigError, match="no file of the model"):
        read_calibration(str(tmp_path / "model"), path)
