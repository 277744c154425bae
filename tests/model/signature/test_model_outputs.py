"""What a model returns becomes the signature's type: by name, by the index of the batch, with what is missing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sparkscore.errors import PredictError
from sparkscore.model.signature.model_outputs import to_prediction_column
from sparkscore.records import OutputParts

DOUBLE = pa.float64()
LIST = pa.list_(DOUBLE)
INNER = pa.struct([("x", DOUBLE), ("n", pa.int64())])
STRUCT = pa.struct([("score", DOUBLE), ("inner", INNER), ("all", pa.list_(INNER))])
OPTIONAL = OutputParts(optional=frozenset({"prediction.inner", "prediction.inner.n", "prediction.all.element.n"}))
NAN = float("nan")
BIG = 2**53 + 1


def column(result: Any, output: pa.DataType = DOUBLE, *, rows: int = 3, parts: OutputParts | None = None) -> list[Any]:
    made = to_prediction_column(result, rows, output, parts=parts or OutputParts())
    assert made.type == output
    made.validate(full=True)
    values: list[Any] = made.to_pylist()
    return values


class TestOrder:
    """The batch's index is 0, 1, 2."""

    FRAME = pd.DataFrame({"group": ["b", "a", "b"], "x": [0.0, 1.0, 2.0]})

    @pytest.mark.parametrize(
        "answer",
        [
            lambda frame: frame["x"],
            lambda frame: frame.sort_values("x", ascending=False)["x"],
            lambda frame: frame.sort_values("x", ascending=False)[["x"]],
            lambda frame: {"any": frame["x"][::-1]},
            lambda frame: frame.groupby("group")["x"].apply(lambda rows: rows + 0),
            lambda frame: pd.concat([rows["x"] for _, rows in frame.groupby("group")]),
            lambda frame: frame.sort_values("group")["x"].reset_index(name="x").set_index("index"),
        ],
    )
    def test_an_index_that_permutes_the_batchs_says_which_row_is_which(self, answer: Callable[[Any], Any]) -> None:
        assert column(answer(self.FRAME)) == [0.0, 1.0, 2.0]

    def test_so_it_does_in_lists_structs_and_dicts_of_columns(self) -> None:
        turned = self.FRAME[::-1]
        two = [[0.0, 0.0], [1.0, -1.0], [2.0, -2.0]]
        assert column(turned.assign(y=-turned["x"])[["x", "y"]], LIST) == two
        assert column({"x": turned["x"], "y": -self.FRAME["x"]}, LIST) == two
        assert column({"x": turned["x"], "y": np.array([0.0, -1.0, -2.0])}, LIST) == two
        pair = pa.struct([("x", DOUBLE), ("g", pa.string())])
        rows = [{"x": 0.0, "g": "b"}, {"x": 1.0, "g": "a"}, {"x": 2.0, "g": "b"}]
        assert column(turned.rename(columns={"group": "g"}), pair) == rows
        assert column({"x": turned["x"], "g": ["b", "a", "b"]}, pair) == rows
        assert column(pd.Series(rows[::-1], index=[2, 1, 0]), pair) == rows

    @pytest.mark.parametrize("index", [[7, 3, 5], [0, 0, 1], [1, 2, 3], ["b", "a", "c"], [2.0, 1.0, 0.0]])
    def test_any_other_index_says_nothing_and_rows_come_by_position(self, index: list[Any]) -> None:
        assert column(pd.Series([0.0, 1.0, 2.0], index=index)) == [0.0, 1.0, 2.0]

    def test_so_does_an_index_that_the_model_has_made_of_a_column(self) -> None:
        keyed = pd.DataFrame({"id": [2, 0, 1], "x": [0.0, 1.0, 2.0]}).set_index("id")
        assert column(keyed["x"]) == [0.0, 1.0, 2.0]


class TestNames:
    NAMED = OutputParts(name="score")

    @pytest.mark.parametrize(
        "result",
        [
            pd.DataFrame({"id": [7, 8, 9], "score": [0.0, 1.0, 2.0]}),
            {"id": [7, 8, 9], "score": [0.0, 1.0, 2.0]},
            [{"score": float(row), "id": row} for row in range(3)],
            pd.DataFrame({"id": [9, 8, 7], "score": [2.0, 1.0, 0.0]}, index=[2, 1, 0]),
            pd.DataFrame({"another": [0.0, 1.0, 2.0]}),
        ],
    )
    def test_of_several_columns_the_one_with_the_outputs_name_is_taken(self, result: Any) -> None:
        assert column(result, parts=self.NAMED) == [0.0, 1.0, 2.0]

    def test_that_holds_for_lists_and_structs(self) -> None:
        lists = [[1.0], [2.0, 3.0], []]
        assert column(pd.DataFrame({"id": [1, 2, 3], "score": lists}), LIST, parts=self.NAMED) == lists
        objects = [{"x": 1.0, "n": 2}] * 3
        assert column(pd.DataFrame({"x": [9.0] * 3, "score": objects}), INNER, parts=self.NAMED) == objects

    def test_several_columns_without_it_are_refused(self) -> None:
        with pytest.raises(PredictError, match=r"shape \(3, 2\)"):
            column(pd.DataFrame({"a": [1.0] * 3, "b": [1.0] * 3}), parts=self.NAMED)

    def test_a_name_that_is_there_twice_is_refused_and_never_the_last_one_taken(self) -> None:
        twice = pd.DataFrame([[1.0, 2.0, 3]] * 3, columns=["x", "x", "n"])
        with pytest.raises(PredictError, match="columns x, x, n with x more than once"):
            column(twice, INNER)
        with pytest.raises(PredictError, match=r"shape \(3, 3\)"):
            column(twice.rename(columns={"x": "score"}), parts=self.NAMED)


class TestMissing:
    INNERS = ({"x": 1.0, "n": BIG}, {"x": 2.0, "n": None})

    def test_an_object_may_be_none_or_nan_in_the_whole_in_fields_and_in_lists(self) -> None:
        rows = [
            {"score": 1.0, "inner": self.INNERS[0], "all": [self.INNERS[0], None]},
            None,
            {"score": None, "inner": None, "all": None},
        ]
        assert column(rows, STRUCT) == rows
        assert column([rows[0], NAN, {"score": None, "inner": NAN, "all": NAN}], STRUCT) == rows
        assert column(pd.Series(rows), STRUCT) == rows

    def test_what_the_signature_calls_optional_may_be_left_out_even_by_all_rows_of_a_batch(self) -> None:
        given = {"score": 1.0, "all": [{"x": 1.0}, {"x": 2.0}]}
        made = {"score": 1.0, "inner": None, "all": [{"x": 1.0, "n": None}, {"x": 2.0, "n": None}]}
        assert column([given] * 3, STRUCT, parts=OPTIONAL) == [made] * 3
        frame = pd.DataFrame({"score": [1.0] * 3, "all": [given["all"]] * 3})
        assert column(frame, STRUCT, parts=OPTIONAL) == [made] * 3
        with pytest.raises(PredictError, match="without inner"):
            column([given] * 3, STRUCT)

    def test_a_batch_may_answer_nothing(self) -> None:
        for output in (pa.string(), pa.int64(), LIST, STRUCT, pa.timestamp("us", tz="UTC")):
            assert column([None] * 3, output) == [None] * 3
            assert column(pd.Series([NAN] * 3), output) == [None] * 3

    def test_nan_in_doubles_stays_nan(self) -> None:
        assert np.isnan(column(pd.Series([NAN, NAN, 1.0]))[0])

    def test_integers_of_which_pandas_made_doubles_are_integers_again(self) -> None:
        assert column(pd.Series([1, None, 3]), pa.int64()) == [1, None, 3]
        assert column(pd.Series([1, None, 3]), pa.int32()) == [1, None, 3]

    def test_fields_that_nobody_asked_for_are_left_out_of_lists_of_structs(self) -> None:
        more = [{"n": 1, "y": "?", "x": 0.5}]
        assert column([more] * 3, pa.list_(INNER)) == [[{"x": 0.5, "n": 1}]] * 3


class TestSizes:
    THREE = OutputParts(sizes=(("prediction", 3),))

    @pytest.mark.parametrize("result", [np.zeros((2, 3)), [[0.0] * 3, None], pd.DataFrame(np.zeros((2, 3)))])
    def test_lists_of_the_signatures_length_are_taken(self, result: Any) -> None:
        assert len(column(result, LIST, rows=2, parts=self.THREE)) == 2

    @pytest.mark.parametrize("result", [np.zeros((2, 2)), [[0.0] * 3, [0.0] * 2], pd.DataFrame(np.zeros((2, 2)))])
    def test_lists_of_another_length_are_refused(self, result: Any) -> None:
        with pytest.raises(PredictError, match="items instead of 3 in prediction"):
            column(result, LIST, rows=2, parts=self.THREE)

    def test_so_are_those_in_lists_and_in_fields(self) -> None:
        deep = OutputParts(sizes=(("prediction", 2), ("prediction.element", 3)))
        assert column(np.zeros((1, 2, 3)), pa.list_(LIST), rows=1, parts=deep) == [[[0.0] * 3] * 2]
        with pytest.raises(PredictError, match=r"lists of 2 items instead of 3 in prediction\.element"):
            column(np.zeros((1, 2, 2)), pa.list_(LIST), rows=1, parts=deep)
        field = OutputParts(sizes=(("prediction.p", 3),))
        with pytest.raises(PredictError, match=r"instead of 3 in prediction\.p"):
            column({"p": np.zeros((1, 2))}, pa.struct([("p", LIST)]), rows=1, parts=field)
