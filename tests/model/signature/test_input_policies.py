"""What the settings say about a model's inputs, and optional inputs that the source lacks."""

from typing import Any

import pyarrow as pa
import pytest

from sparkscore.errors import SignatureError
from sparkscore.model.signature.input_policies import InputPolicies, apply_input_policies
from sparkscore.model.signature.signature_check import match_input_columns
from sparkscore.records import ModelInput, PinnedModel

X, OPTIONAL = ModelInput("x", pa.float64(), True), ModelInput("z", pa.int64(), False)
SOURCE = pa.schema([("x", pa.int64()), ("amount", pa.decimal128(38, 18))])


def model(*inputs: ModelInput, runtime: Any = "pyfunc") -> PinnedModel:
    return PinnedModel("late", "3", "", "0" * 64, "", runtime, inputs, False, pa.float64())


def matched(
    *inputs: ModelInput, runtime: Any = "pyfunc", **wishes: Any
) -> tuple[tuple[ModelInput, ...], tuple[str | None, ...]]:
    policies = InputPolicies(**wishes)
    made = apply_input_policies(model(*inputs, runtime=runtime), SOURCE, policies)
    return made.inputs, match_input_columns(made, SOURCE, policies.columns)


class TestCasts:
    @pytest.mark.parametrize("columns", [{}, {"x": "amount"}])
    def test_a_lossy_cast_is_refused_naming_the_setting_that_allows_it(self, columns: dict[str, str]) -> None:
        with pytest.raises(SignatureError, match=r"no cast keeps every value; model.casts: {x: double} allows one"):
            matched(X, columns=columns)
        inputs, found = matched(X, columns=columns, casts={"x": "double"})
        assert inputs[0].may_round
        assert found == (columns.get("x", "x"),)

    def test_a_cast_that_no_setting_allows_names_none(self) -> None:
        with pytest.raises(SignatureError, match="no cast keeps every value") as caught:
            matched(ModelInput("x", pa.string(), True))
        assert "model.casts" not in caught.value.found

    @pytest.mark.parametrize(
        ("casts", "told"),
        [({"x": "float"}, "says x: float, and the model takes double"), ({"y": "double"}, "names y: no such input")],
    )
    def test_a_cast_to_another_type_than_the_models_or_of_no_input_is_refused(
        self, casts: dict[str, str], told: str
    ) -> None:
        with pytest.raises(SignatureError, match=f"model.casts {told}"):
            matched(X, casts=casts)


class TestMissing:
    @pytest.mark.parametrize(
        ("kind", "value"),
        [(pa.float64(), -1), (pa.float32(), 0.1), (pa.int32(), 7), (pa.string(), "none"), (pa.bool_(), True)],
    )
    def test_a_value_of_the_inputs_type_takes_the_place(self, kind: pa.DataType, value: Any) -> None:
        made = apply_input_policies(model(ModelInput("x", kind, True)), SOURCE, InputPolicies(missing={"x": value}))
        assert made.inputs[0].fill == value

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            (pa.int64(), 0.5),
            (pa.int32(), 2**40),
            (pa.float32(), 1e300),
            (pa.float64(), float("nan")),
            (pa.float64(), "zero"),
            (pa.float64(), True),
            (pa.bool_(), 1),
            (pa.string(), 0),
            (pa.list_(pa.float64()), 0.0),
        ],
    )
    def test_another_value_is_refused(self, kind: pa.DataType, value: Any) -> None:
        with pytest.raises(SignatureError, match=r"model.missing says x: .*, and the model takes"):
            apply_input_policies(model(ModelInput("x", kind, True)), SOURCE, InputPolicies(missing={"x": value}))

    def test_the_words_change_no_value(self) -> None:
        policies = InputPolicies(missing={"x": "reject", "z": "pass"})
        assert [one.fill for one in apply_input_policies(model(X, OPTIONAL), SOURCE, policies).inputs] == [None, None]
        assert policies.rejecting == ("x",)


class TestAbsentOptionalInputs:
    @pytest.mark.parametrize("runtime", ["pyfunc", "sklearn"])
    def test_a_frame_goes_without_it_as_mlflows_does(self, runtime: str) -> None:
        inputs, columns = matched(OPTIONAL, X, runtime=runtime, casts={"x": "double"})
        assert [one.name for one in inputs] == ["x"]
        assert columns == ("x",)

    @pytest.mark.parametrize(("wish", "fill"), [("pass", None), (7, 7)])
    @pytest.mark.parametrize("runtime", ["sklearn", "onnx"])
    def test_it_is_there_where_model_missing_names_it(self, runtime: str, wish: Any, fill: Any) -> None:
        inputs, columns = matched(X, OPTIONAL, runtime=runtime, casts={"x": "double"}, missing={"z": wish})
        assert (inputs[1].name, inputs[1].fill) == ("z", fill)
        assert columns == ("x", None)

    @pytest.mark.parametrize("runtime", ["onnx", "torch"])
    def test_arrays_of_all_inputs_cannot_go_without_it(self, runtime: str) -> None:
        with pytest.raises(SignatureError, match=r"takes all inputs: set model.missing: {z: pass}"):
            matched(X, OPTIONAL, runtime=runtime)

    def test_none_at_all_is_refused(self) -> None:
        with pytest.raises(SignatureError, match="the source has none of the model's inputs"):
            matched(OPTIONAL)

    def test_every_row_rejected_is_refused(self) -> None:
        with pytest.raises(SignatureError, match="every row would be rejected"):
            matched(OPTIONAL, missing={"z": "reject"})

    @pytest.mark.parametrize(("one", "columns"), [(OPTIONAL, {"z": "zz"}), (ModelInput("z", pa.float64(), True), {})])
    def test_a_required_one_and_one_that_is_mapped_to_no_column_stay_refused(
        self, one: ModelInput, columns: dict[str, str]
    ) -> None:
        with pytest.raises(SignatureError, match="missing in the source"):
            matched(one, columns=columns)
