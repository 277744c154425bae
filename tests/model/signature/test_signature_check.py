import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import AnyType, Array, DataType, Map, Object, Property

from sparkscore.errors import SignatureError
from sparkscore.model.signature.mlflow_signature import Signature, merge_tensor_inputs, read_mlflow_signature
from sparkscore.model.signature.signature_check import check_model_params, match_input_columns
from sparkscore.records import ModelInput, OutputParts, PinnedModel
from tests.model.shelf import columns, positions, signature, tensor

UTC = pa.timestamp("us", tz="UTC")
P = '[{"type": "double", "name": "p"}]'
NUMBERS = pd.DataFrame({"a": [1.0, 2.0]})


def read(signed: ModelSignature) -> Signature:
    return read_mlflow_signature({"signature": signed.to_dict()})


def output(predictions: Any) -> pa.DataType:
    return read(infer_signature(NUMBERS, predictions)).output


def model(*inputs: ModelInput) -> PinnedModel:
    return PinnedModel("late", "3", "", "0" * 64, "", "pyfunc", inputs, False, pa.float64())


class TestInputs:
    def test_columns_have_names_types_and_whether_they_are_required(self) -> None:
        kinds = {"b": "boolean", "i": "integer", "l": "long", "f": "float", "d": "double", "s": "string", "y": "binary"}
        read_back = read(signature(columns(**kinds, t="datetime?"), tensor("float64")))
        assert read_back.inputs == (
            ModelInput("b", pa.bool_(), True),
            ModelInput("i", pa.int32(), True),
            ModelInput("l", pa.int64(), True),
            ModelInput("f", pa.float32(), True),
            ModelInput("d", pa.float64(), True),
            ModelInput("s", pa.string(), True),
            ModelInput("y", pa.binary(), True),
            ModelInput("t", pa.timestamp("ns"), False),
        )
        assert not read_back.tensor

    def test_positions_have_no_names(self) -> None:
        assert [one.name for one in read(signature(positions("double", "long"), tensor("float64"))).inputs] == [
            None,
            None,
        ]

    def test_a_frame_without_column_names_has_positions(self) -> None:
        inferred = infer_signature(pd.DataFrame(np.zeros((2, 3))), np.zeros(2))
        assert read(inferred).inputs == (ModelInput(None, pa.float64(), True),) * 3

    def test_other_numbers_as_names_are_refused(self) -> None:
        with pytest.raises(SignatureError, match="the input name 7"):
            read(infer_signature(pd.DataFrame({7: [1.0]}), np.zeros(1)))

    def test_a_tensor_has_as_many_inputs_as_columns(self) -> None:
        read_back = read(signature(tensor("float32", 3), tensor("float64")))
        assert read_back.tensor
        assert read_back.inputs == (ModelInput(None, pa.float32(), True),) * 3

    def test_arrays_are_lists_and_objects_structs(self) -> None:
        spec = Object([Property("x", DataType.long), Property("y", Array(DataType.string))])
        read_back = read(signature(Schema([ColSpec(spec, "o")]), tensor("float64")))
        assert read_back.inputs[0].type == pa.struct([("x", pa.int64()), ("y", pa.list_(pa.string()))])

    def test_maps_have_text_as_keys_and_anything_is_open(self) -> None:
        inner = Object([Property("a", AnyType()), Property("b", DataType.long, required=False)])  # type: ignore[no-untyped-call]
        read_back = read(signature(Schema([ColSpec(Map(Array(inner)), "x")]), tensor("float64")))
        (one,) = read_back.inputs
        item = pa.struct([("a", pa.null()), ("b", pa.int64())])
        assert one.type == pa.map_(pa.string(), pa.list_(item))
        assert one.optional == {".value.element.b"}

    def test_a_vector_of_spark_is_refused(self) -> None:
        with pytest.raises(SignatureError, match='the type "sparkml-vector"'):
            read_mlflow_signature({"signature": {"inputs": '[{"type": "sparkml-vector", "name": "x"}]', "outputs": P}})

    def test_a_name_that_stands_twice_is_refused(self) -> None:
        twice = json.dumps([{"name": "x", "type": "double"}, {"name": "x", "type": "long"}])
        with pytest.raises(SignatureError, match="names x more than once") as caught:
            read_mlflow_signature({"signature": {"inputs": twice, "outputs": P}})
        assert caught.value.exit_code == 4

    def test_a_tensor_of_one_dimension_or_of_more_than_two_is_one_input(self) -> None:
        block = read(signature(tensor("float32", 2, 3), tensor("float64")))
        assert block.inputs == (ModelInput(None, pa.list_(pa.list_(pa.float32())), True, (2, 3)),)
        assert read(signature(tensor("int64"), tensor("float64"))).inputs == (ModelInput(None, pa.int64(), True, ()),)

    def test_named_tensors_are_an_input_each(self) -> None:
        parts = [("a", (-1,)), ("b", (-1, 1)), ("c", (-1, 4)), ("d", (-1, 1, 1))]
        schema = Schema([TensorSpec(np.dtype("float32"), shape, name) for name, shape in parts])
        one, two = pa.list_(pa.float32()), pa.list_(pa.list_(pa.float32()))
        assert read(signature(schema, tensor("float64"))).inputs == (
            ModelInput("a", pa.float32(), True, ()),
            ModelInput("b", pa.float32(), True, (1,)),
            ModelInput("c", one, True, (4,)),
            ModelInput("d", two, True, (1, 1)),
        )

    def test_one_column_may_bring_all_of_a_tensor(self) -> None:
        four = (ModelInput(None, pa.float32(), True),) * 4
        assert merge_tensor_inputs(four, {"0": "embedding"}) == (ModelInput(None, pa.list_(pa.float32()), True, (4,)),)
        for mapping in ({}, {"0": "a", "1": "b"}, {"1": "a"}):
            assert merge_tensor_inputs(four, mapping) == four
        assert merge_tensor_inputs(four[:1], {"0": "a"}) == four[:1]
        named = (ModelInput("x", pa.list_(pa.float32()), True, (4,)),)
        assert merge_tensor_inputs(named, {"0": "a"}) == named

    @pytest.mark.parametrize(
        "schema", [tensor("float64", -1), tensor("float64", 2, -1), Schema([TensorSpec(np.dtype("float64"), (3, 2))])]
    )
    def test_tensors_of_open_sizes_are_refused(self, schema: Schema) -> None:
        with pytest.raises(SignatureError, match=r"tensors of shape \(-1, …\)"):
            read(signature(schema, tensor("float64")))

    @pytest.mark.parametrize("kind", ["object", "complex128"])
    def test_a_tensor_of_other_things_is_refused(self, kind: str) -> None:
        with pytest.raises(SignatureError, match=f"a tensor of {kind}"):
            read(signature(tensor(kind, 2), tensor("float64")))

    @pytest.mark.parametrize("signed", [None, {}, {"inputs": "[]", "outputs": None}, {"outputs": '[{"type": "long"}]'}])
    def test_no_signature_tells_how_to_add_one(self, signed: Any) -> None:
        with pytest.raises(SignatureError, match="no inputs") as caught:
            read_mlflow_signature({"signature": signed})
        assert "infer_signature" in caught.value.do

    def test_no_outputs_tell_how_to_add_them(self) -> None:
        with pytest.raises(SignatureError, match="no outputs"):
            read(infer_signature(NUMBERS))

    @pytest.mark.parametrize("inputs", ["{", '[{"name": "x"}]', '["x"]', "7"])
    def test_a_damaged_signature_is_refused(self, inputs: str) -> None:
        with pytest.raises(SignatureError, match="cannot be read"):
            read_mlflow_signature({"signature": {"inputs": inputs, "outputs": '[{"type": "long"}]'}})


class TestOutputs:
    def test_one_value_per_row_is_a_scalar(self) -> None:
        assert output(np.zeros(2)) == pa.float64()
        assert output(pd.Series([1, 2])) == pa.int64()
        assert output(np.array([True, False])) == pa.bool_()
        assert output(np.array(["a", "b"])) == pa.string()
        assert output(np.array(["a", "b"], dtype=object)) == pa.string()
        assert output(pd.DataFrame({"p": [0.5]})) == pa.float64()
        assert output(pd.Series(pd.to_datetime(["2020-01-01"]))) == UTC

    def test_several_values_per_row_are_a_list(self) -> None:
        assert output(np.zeros((2, 3))) == pa.list_(pa.float64())
        assert output(np.zeros((2, 3, 4), np.float32)) == pa.list_(pa.list_(pa.float32()))
        assert output([[1.0], [2.0]]) == pa.list_(pa.float64())

    def test_several_columns_are_a_struct(self) -> None:
        assert output(pd.DataFrame({"p": [0.5], "l": ["a"]})) == pa.struct([("p", pa.float64()), ("l", pa.string())])
        assert output(pd.DataFrame(np.zeros((1, 2)))) == pa.struct([("0", pa.float64()), ("1", pa.float64())])

    def test_numbers_that_spark_has_not_become_wider(self) -> None:
        assert output(np.zeros(2, np.uint8)) == pa.int16()
        assert output(np.zeros(2, np.uint32)) == pa.int64()
        assert output(np.zeros(2, np.float16)) == pa.float32()
        with pytest.raises(SignatureError, match="uint64"):
            output(np.zeros(2, np.uint64))


class TestOutputParts:
    INNER = Object([Property("x", DataType.double), Property("n", DataType.long, required=False)])

    def parts(self, *specs: ColSpec | TensorSpec) -> OutputParts:
        return read(signature(columns(a="double"), Schema(list(specs)))).parts

    def test_fields_are_optional_where_the_signature_says_so(self) -> None:
        found = self.parts(ColSpec("double", "p"), ColSpec("double", "q", required=False), ColSpec(self.INNER, "r"))
        assert found == OutputParts(optional=frozenset({"prediction.q", "prediction.r.n"}))

    def test_so_are_properties_in_objects_and_in_lists_of_them(self) -> None:
        found = self.parts(ColSpec(Array(Object([Property("in", self.INNER, required=False)])), "all"))
        assert found == OutputParts("all", frozenset({"prediction.element.in", "prediction.element.in.n"}))

    def test_the_whole_prediction_never_is(self) -> None:
        assert self.parts(ColSpec("double", "p", required=False)) == OutputParts("p")

    def test_tensors_have_sizes_where_these_are_fixed(self) -> None:
        assert read(signature(columns(a="double"), tensor("float64", 3))).parts.sizes == (("prediction", 3),)
        assert read(signature(columns(a="double"), tensor("float64"))).parts.sizes == ()
        named = [TensorSpec(np.dtype("float64"), (-1, -1, 4), "p"), TensorSpec(np.dtype("float64"), (-1,), "q")]
        assert self.parts(*named).sizes == (("prediction.p.element", 4),)


class TestParams:
    signed = read(signature(columns(a="double"), tensor("float64"), k=1, t=0.5, s="x", b=True))

    def test_params_of_the_signature_are_taken(self) -> None:
        check_model_params(self.signed, {"k": 2, "t": 1, "s": "y", "b": False})

    def test_lists_are_taken_where_the_param_has_a_shape(self) -> None:
        specs = [ParamSpec("stop", "string", ["a"], (-1,)), ParamSpec("k", "long", 1)]
        signed = read(ModelSignature(columns(a="double"), tensor("float64"), ParamSchema(specs)))
        check_model_params(signed, {"stop": ["a", "b"], "k": 2})
        check_model_params(signed, {"stop": ("a",)})
        check_model_params(signed, {"stop": []})
        refused: list[tuple[dict[str, Any], str, str]] = [
            ({"stop": "a"}, "the param stop is a str", "a list of string"),
            ({"stop": ["a", 1]}, "the param stop is a list of int, str", "a list of string"),
            ({"k": [1]}, "the param k is a list of int", "a long"),
        ]
        for params, found, expected in refused:
            with pytest.raises(SignatureError) as caught:
                check_model_params(signed, params)
            assert (caught.value.found, caught.value.expected) == (found, expected)

    def test_an_object_is_taken_as_a_mapping_with_its_properties(self) -> None:
        kind = Object([Property("k", DataType.long), Property("tags", Array(DataType.string), required=False)])
        signed = read(
            ModelSignature(
                Schema([ColSpec("double", "a")]),
                Schema([ColSpec("double")]),
                ParamSchema([ParamSpec("search", kind, {"k": 1})]),
            )
        )
        for given in ({"k": 2, "tags": ["a"]}, {"k": 2}, {"k": 2, "tags": None}):
            check_model_params(signed, {"search": given})
        with pytest.raises(SignatureError, match="the param search: it has no k; m is no property of it") as caught:
            check_model_params(signed, {"search": {"m": 1}})
        assert caught.value.expected == "k: long, tags: array"
        with pytest.raises(SignatureError, match="the param search: k is a str"):
            check_model_params(signed, {"search": {"k": "2"}})
        with pytest.raises(SignatureError, match="the param search is a int"):
            check_model_params(signed, {"search": 2})

    @pytest.mark.parametrize("params", [{"k": "2"}, {"k": 2.5}, {"k": True}, {"t": "x"}, {"s": 1}, {"b": 1}])
    def test_a_param_of_another_type_is_refused(self, params: dict[str, Any]) -> None:
        with pytest.raises(SignatureError, match="the param"):
            check_model_params(self.signed, params)

    def test_an_unknown_param_is_refused_and_the_known_ones_are_named(self) -> None:
        with pytest.raises(SignatureError, match="no param depth") as caught:
            check_model_params(self.signed, {"depth": 1})
        assert "k, t, s, b" in caught.value.expected


class TestColumns:
    source = pa.schema(
        [("x", pa.float64()), ("Y", pa.int32()), ("name", pa.string()), ("big", pa.int64()), ("at", UTC)]
    )

    def test_columns_come_in_the_models_order(self) -> None:
        asked = model(ModelInput("name", pa.string(), True), ModelInput("x", pa.float64(), True))
        assert match_input_columns(asked, self.source, {}) == ("name", "x")

    def test_names_are_mapped(self) -> None:
        asked = model(ModelInput("x1", pa.float64(), True), ModelInput("x2", pa.float64(), True))
        assert match_input_columns(asked, self.source, {"x1": "x", "x2": "Y"}) == ("x", "Y")

    def test_positions_are_mapped(self) -> None:
        asked = model(ModelInput(None, pa.float64(), True), ModelInput(None, pa.float64(), True))
        assert match_input_columns(asked, self.source, {"0": "Y", "1": "x"}) == ("Y", "x")

    def test_positions_that_are_not_mapped_are_refused_with_the_cure(self) -> None:
        with pytest.raises(SignatureError, match=r"input 1 has no name: .* model.inputs: \{'1': column\}"):
            match_input_columns(model(*[ModelInput(None, pa.float64(), True)] * 2), self.source, {"0": "x"})

    def test_a_tensor_without_columns_is_told_both_ways(self) -> None:
        inputs = (ModelInput(None, pa.float32(), True),) * 384
        with pytest.raises(SignatureError) as caught:
            match_input_columns(replace(model(*inputs), tensor=True), self.source, {})
        problem = (
            "the 384 inputs have no names: say which columns they are, model.inputs: {'0': column, …, '383': column}"
        )
        assert caught.value.found.splitlines()[1:] == [
            f"  {problem}, or which one holds arrays of them, model.inputs: {{'0': column}}",
            "  columns of the source that no input takes: x, Y, name, big, at",
        ]

    def test_a_tensor_takes_a_column_of_arrays(self) -> None:
        block = pa.list_(pa.list_(pa.float64()))
        asked = replace(model(ModelInput("block", block, True, (2, 3))), tensor=True)
        fits = pa.schema([("block", pa.list_(pa.list_(pa.float32())))])
        assert match_input_columns(asked, fits, {}) == ("block",)
        with pytest.raises(
            SignatureError, match=r"block: list<item: list<item: double>> of sizes \(2, 3\) in the model"
        ):
            match_input_columns(asked, pa.schema([("block", pa.list_(pa.float64()))]), {})

    def test_all_problems_are_told_at_once(self) -> None:
        asked = model(
            ModelInput("y", pa.float64(), True),
            ModelInput("names", pa.string(), True),
            ModelInput("nothing_like_it", pa.string(), True),
            ModelInput("name", pa.float64(), True),
            ModelInput("big", pa.float64(), True),
            ModelInput("amount", pa.int32(), True),
            ModelInput("x", pa.float64(), True),
        )
        with pytest.raises(SignatureError) as caught:
            match_input_columns(asked, self.source, {"amount": "big", "nam": "x"})
        assert caught.value.exit_code == 4
        assert caught.value.found.splitlines() == [
            "the source does not fit late version 3:",
            "  model.inputs names nam: no such input (did you mean name?)",
            "  y: double in the model, missing in the source (did you mean Y, which differs in case?)",
            "  names: string in the model, missing in the source (did you mean name?)",
            "  nothing_like_it: string in the model, missing in the source",
            "  name: double in the model, string in the source: no cast keeps every value;"
            " model.casts: {name: double} allows one that rejects rows whose text is no number",
            "  big: double in the model, int64 (-9,223,372,036,854,775,808 to 9,223,372,036,854,775,807) in the source:"
            " no cast keeps every value; model.casts: {big: double} allows one that rounds",
            "  amount (column big): int32 in the model (-2,147,483,648 to 2,147,483,647),"
            " int64 (-9,223,372,036,854,775,808 to 9,223,372,036,854,775,807) in the source: no cast keeps every value;"
            " model.casts: {amount: integer} allows one that rejects rows that do not fit",
            "  columns of the source that no input takes: Y, at",
        ]

    def test_a_column_that_is_there_twice_is_refused(self) -> None:
        twice = pa.schema([("x", pa.float64()), ("x", pa.float64())])
        with pytest.raises(SignatureError, match="twice in the source"):
            match_input_columns(model(ModelInput("x", pa.float64(), True)), twice, {})

    def test_what_the_spec_says_is_plain_json(self) -> None:
        assert json.loads(signature(columns(a="double"), tensor("float64")).to_dict()["inputs"])[0]["name"] == "a"
