import json
import os
import pickle
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
import pytest
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, Schema, TensorSpec
from mlflow.types.schema import Array, DataType, Object, Property
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPClassifier

from sparkscore.errors import InputOutOfRange, ModelError, PredictError, SignatureError
from sparkscore.model.distribution.shipped_model import OnnxFile
from sparkscore.model.runtimes.onnx.onnx_runtime import open_onnx_session
from sparkscore.model.runtimes.runtime_selection import choose_runtime
from sparkscore.model.signature.class_labels import find_class_labels
from sparkscore.model.trust.mlmodel_file import read_mlmodel
from sparkscore.records import WARNING_POLICY
from tests.model.graphs import (
    BOOL,
    DOUBLE,
    FLOAT,
    INT64,
    STRING,
    classifier,
    graph,
    linear,
    node,
    perceptron,
    saved,
    sequence,
    value,
    zipped,
)
from tests.model.shelf import Shelf, columns, positions, signature, tensor

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra gpu is not installed")

pytestmark = pytest.mark.usefixtures("own_environment")

DRAW = np.random.default_rng(0)
ROWS = DRAW.normal(size=(1000, 4))
BLOCK = DRAW.normal(size=(50, 2, 3)).astype(np.float32)
LINE = LinearRegression().fit(ROWS, ROWS @ [1.0, -2.0, 0.5, 3.0] + 1.0)
WIDE = linear(LINE.coef_.reshape(4, 1), np.array([LINE.intercept_]))
CLASSES = classifier(DRAW.normal(size=(4, 2)), DRAW.normal(size=2))
TEN = [pa.array(np.append(ROWS[:, place], np.nan)) for place in range(4)]
DOUBLES = columns(a="double", b="double", c="double", d="double")


def named(*outputs: tuple[str, str]) -> Schema:
    """Named columns that come out."""
    return Schema([ColSpec(kind, name) for name, kind in outputs])


def tensors(*parts: tuple[str | None, str, tuple[int, ...]]) -> Schema:
    """Tensors with names, without the dimension of rows."""
    return Schema([TensorSpec(np.dtype(kind), (-1, *row), name) for name, kind, row in parts])


def put(shelf: Shelf, name: str, model: Any, signed: ModelSignature, **more: Any) -> str:
    return shelf.logged(name, partial(mlflow.onnx.log_model, model), signed, **more)


def scored(shelf: Shelf, uri: str, *given: pa.Array, runtime: str = "auto", **more: Any) -> pa.Array:
    placed = shelf.placed(uri, runtime=runtime, **more)
    assert placed.model.runtime == ("onnx" if runtime == "auto" else runtime)
    return placed.scorer()(given).predictions


def same_as_pyfunc(shelf: Shelf, uri: str, *given: pa.Array) -> pa.Array:
    """The predictions, which are the same bits whether MLflow predicts or onnxruntime by itself."""
    ours, theirs = scored(shelf, uri, *given), scored(shelf, uri, *given, runtime="pyfunc")
    assert ours.type == theirs.type
    for mine, other in zip(flat(ours), flat(theirs), strict=True):
        np.testing.assert_array_equal(mine, other)
    return ours


def flat(column: pa.Array) -> list[Any]:
    if pa.types.is_struct(column.type):
        return [part for child in column.flatten() for part in flat(child)]
    return flat(column.flatten()) if pa.types.is_list(column.type) else [column.to_numpy(zero_copy_only=False)]


class TestTheSamePredictionsAsMlflow:
    def test_doubles_are_rounded_for_a_graph_of_floats(self, shelf: Shelf) -> None:
        uri = put(shelf, "onnx-line", WIDE, signature(DOUBLES, named(("y", "float"))))
        got = same_as_pyfunc(shelf, uri, *TEN).to_numpy()
        np.testing.assert_allclose(got[:-1], LINE.predict(ROWS), rtol=1e-4, atol=1e-4)
        assert np.isnan(got[-1])

    def test_a_double_that_is_infinite_as_float_is_told_and_an_infinite_one_is_not(self, shelf: Shelf) -> None:
        uri = put(shelf, "onnx-range", WIDE, signature(DOUBLES, named(("y", "float"))))
        with pytest.raises(InputOutOfRange, match=r"the input d has a number \(double\) among 1 that is no float32"):
            scored(shelf, uri, *[pa.array([1.0])] * 3, pa.array([1e300]))
        assert scored(shelf, uri, *[pa.array([1.0])] * 3, pa.array([np.inf])).to_pylist() == [np.inf]

    def test_a_graph_of_doubles_is_given_doubles(self, shelf: Shelf) -> None:
        model = linear(LINE.coef_.reshape(4, 1), np.array([LINE.intercept_]), kind=DOUBLE)
        uri = put(shelf, "onnx-double", model, signature(DOUBLES, named(("y", "double"))))
        got = same_as_pyfunc(shelf, uri, *TEN).to_numpy()[:-1]
        np.testing.assert_allclose(got, LINE.predict(ROWS), rtol=1e-12, atol=1e-12)

    def test_a_perceptron_of_scikit_learn_is_what_it_was(self, shelf: Shelf) -> None:
        model = MLPClassifier((8, 8), solver="lbfgs", max_iter=2000, random_state=0).fit(ROWS, ROWS[:, 0] > 0)
        made = perceptron(model.coefs_, model.intercepts_)
        uri = put(shelf, "onnx-mlp", made, signature(DOUBLES, named(("y", "float"))))
        got = same_as_pyfunc(shelf, uri, *TEN).to_numpy()[:-1]
        np.testing.assert_allclose(got, model.predict_proba(ROWS)[:, 1], atol=1e-6)

    def test_a_tensor_is_one_array(self, shelf: Shelf) -> None:
        uri = put(shelf, "onnx-tensor", WIDE, signature(tensor("float32", 4), tensors(("y", "float32", (1,)))))
        floats = [column.cast(pa.float32()) for column in TEN]
        assert same_as_pyfunc(shelf, uri, *floats).type == pa.list_(pa.float32())

    def test_mixed_numbers_go_into_one_matrix(self, shelf: Shelf) -> None:
        inputs = columns(a="double", b="long", c="float", d="integer")
        uri = put(shelf, "onnx-mixed", WIDE, signature(inputs, named(("y", "float"))))
        whole = pa.array(range(1001))
        same_as_pyfunc(shelf, uri, TEN[0], whole, TEN[2].cast(pa.float32()), whole.cast(pa.int32()))

    def test_several_inputs_are_filled_by_name(self, shelf: Shelf) -> None:
        model = graph(
            [node("Cast", "n", "m", to=FLOAT), node("Mul", "x m", "xm"), node("Where", "b xm x", "y")],
            [value("n", INT64, (None,)), value("b", BOOL, (None,)), value("x", FLOAT, (None,))],
            [value("y", FLOAT, (None,))],
        )
        uri = put(
            shelf, "onnx-several", model, signature(columns(x="double", b="boolean", n="long"), named(("y", "float")))
        )
        got = same_as_pyfunc(shelf, uri, pa.array([0.5, 2.0]), pa.array([True, False]), pa.array([3, 4]))
        assert got.to_pylist() == [1.5, 2.0]

    def test_label_and_probabilities_are_a_struct(self, shelf: Shelf) -> None:
        outputs = tensors(("label", "int64", ()), ("probabilities", "float32", (2,)))
        uri = put(shelf, "onnx-classes", CLASSES, signature(tensor("float32", 4), outputs))
        got = same_as_pyfunc(shelf, uri, *(column.cast(pa.float32()) for column in TEN))
        assert got.type == pa.struct([("label", pa.int64()), ("probabilities", pa.list_(pa.float32()))])
        assert {row["label"] == int(np.argmax(row["probabilities"])) for row in got.to_pylist()[:-1]} == {True}

    def test_what_mlflow_infers_is_a_signature_that_serves(self, shelf: Shelf, tmp_path: Path) -> None:
        mlflow.onnx.save_model(CLASSES, tmp_path / "model", pip_requirements=[])
        floats = ROWS.astype(np.float32)
        said = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(floats)
        uri = put(shelf, "onnx-inferred", CLASSES, infer_signature(floats, said))
        got = same_as_pyfunc(shelf, uri, *(pa.array(floats[:, place]) for place in range(4)))
        np.testing.assert_array_equal(got.field("label").to_numpy(), said["label"])

    def test_named_tensors_are_filled_by_name(self, shelf: Shelf) -> None:
        model = graph(
            [node("ReduceSum", "block axes", "s", keepdims=0), node("Mul", "s weight", "y")],
            [value("block", FLOAT, (None, 2, 3)), value("weight", FLOAT, (None,))],
            [value("y", FLOAT, (None,))],
            axes=np.array([1, 2]),
        )
        inputs = tensors(("weight", "float32", ()), ("block", "float32", (2, 3)))
        uri = put(shelf, "onnx-blocks", model, signature(inputs, tensors(("y", "float32", ()))))
        weight = DRAW.normal(size=50).astype(np.float32)
        got = same_as_pyfunc(shelf, uri, pa.array(weight), pa.array(BLOCK.tolist(), pa.list_(pa.list_(pa.float32()))))
        np.testing.assert_allclose(got.to_numpy(), BLOCK.sum(axis=(1, 2)) * weight, rtol=1e-5)


class TestMoreThanMlflow:
    def test_a_list_column_may_bring_the_whole_tensor(self, shelf: Shelf) -> None:
        uri = put(shelf, "onnx-lists", WIDE, signature(tensor("float32", 4), tensors(("y", "float32", (1,)))))
        floats = ROWS.astype(np.float32)
        lists = pa.array(floats.tolist(), pa.list_(pa.float32()))
        one = scored(shelf, uri, lists, inputs={"0": "embedding"})
        assert one.equals(scored(shelf, uri, *(pa.array(floats[:, place]) for place in range(4))))

    def test_inputs_that_stand_upright_are_columns(self, shelf: Shelf) -> None:
        model = graph(
            [node("Add", "a b", "y")],
            [value("a", FLOAT, ("n", 1)), value("b", FLOAT, ("n", 1))],
            [value("y", FLOAT, ("n", 1))],
        )
        uri = put(shelf, "onnx-upright", model, signature(columns(a="double", b="long"), named(("y", "float"))))
        assert scored(shelf, uri, pa.array([0.5]), pa.array([2])).to_pylist() == [2.5]

    def test_one_column_may_go_in_flat(self, shelf: Shelf) -> None:
        model = graph([node("Neg", "x", "y")], [value("x", FLOAT, ("n",))], [value("y", FLOAT, ("n",))])
        uri = put(shelf, "onnx-flat", model, signature(columns(a="double"), named(("y", "float"))))
        assert scored(shelf, uri, pa.array([0.5, None])).to_pylist()[0] == -0.5

    def test_text_goes_in_and_null_is_refused(self, shelf: Shelf) -> None:
        model = graph([node("Identity", "s", "y")], [value("s", STRING, (None, 1))], [value("y", STRING, (None, 1))])
        uri = put(shelf, "onnx-text", model, signature(columns(s="string"), named(("y", "string"))))
        assert scored(shelf, uri, pa.array(["a", "b"])).to_pylist() == ["a", "b"]
        with pytest.raises(PredictError, match="1 of 2 texts"):
            scored(shelf, uri, pa.array(["a", None]))

    def test_null_in_integers_and_booleans_is_refused(self, shelf: Shelf) -> None:
        model = graph(
            [node("Cast", "n", "m", to=FLOAT), node("Where", "b m m", "y")],
            [value("n", INT64, (None,)), value("b", BOOL, (None,))],
            [value("y", FLOAT, (None,))],
        )
        uri = put(shelf, "onnx-null", model, signature(columns(n="long?", b="boolean"), named(("y", "float"))))
        with pytest.raises(PredictError, match="NULL in the input n"):
            scored(shelf, uri, pa.array([1, None]), pa.array([True, True]))
        with pytest.raises(PredictError, match="NULL in the input b"):
            scored(shelf, uri, pa.array([1, 2]), pa.array([True, None]))


class TestWhichOutput:
    @pytest.mark.parametrize(
        ("outputs", "kind"),
        [
            (named(("label", "long")), pa.int64()),
            (tensors(("probabilities", "float32", (2,))), pa.list_(pa.float32())),
            (tensors((None, "float32", (2,))), pa.list_(pa.float32())),
            (tensors((None, "int64", ())), pa.int64()),
            (positions("long"), pa.int64()),
        ],
    )
    def test_it_is_taken_by_name_or_because_no_other_fits(
        self, shelf: Shelf, outputs: Schema, kind: pa.DataType
    ) -> None:
        uri = put(shelf, "onnx-which", CLASSES, signature(DOUBLES, outputs))
        got = scored(shelf, uri, *TEN)
        assert got.type == kind
        struct = tensors(("label", "int64", ()), ("probabilities", "float32", (2,)))
        both = scored(shelf, put(shelf, "onnx-both", CLASSES, signature(DOUBLES, struct)), *TEN)
        np.testing.assert_array_equal(flat(got)[0], flat(both)[0 if kind == pa.int64() else 1])

    def test_a_dict_per_row_is_a_struct(self, shelf: Shelf) -> None:
        zipped_model = zipped(DRAW.normal(size=(4, 2)))
        both = Schema(
            [
                ColSpec("long", "output_label"),
                ColSpec(Object([Property(str(place), DataType.float) for place in range(2)]), "output_probability"),
            ]
        )
        got = same_as_pyfunc(shelf, put(shelf, "onnx-zipped", zipped_model, signature(DOUBLES, both)), *TEN)
        for row in got.to_pylist()[:-1]:
            assert row["output_label"] == int(row["output_probability"]["1"] > row["output_probability"]["0"])
        label = put(shelf, "onnx-zipped-label", zipped_model, signature(DOUBLES, positions("long")))
        assert scored(shelf, label, *TEN).equals(got.field("output_label"))

    @pytest.mark.parametrize(
        ("outputs", "found"),
        [
            (named(("score", "string")), "could be 0 of them"),
            (named(("label", "long"), ("score", "float")), "has no output score, only label, probabilities"),
        ],
    )
    def test_none_is_refused_on_the_driver(self, shelf: Shelf, outputs: Schema, found: str) -> None:
        uri = put(shelf, "onnx-none", CLASSES, signature(DOUBLES, outputs))
        with pytest.raises(SignatureError, match=found) as caught:
            shelf.pinned(uri)
        assert "model.runtime to pyfunc" in caught.value.do

    def test_outputs_without_names_are_taken_in_order(self, shelf: Shelf) -> None:
        outputs = Schema([ColSpec("long"), ColSpec(Array(DataType.float))])
        got = scored(shelf, put(shelf, "onnx-order", CLASSES, signature(DOUBLES, outputs)), *TEN)
        assert got.type == pa.struct([("0", pa.int64()), ("1", pa.list_(pa.float32()))])
        assert got[0]["0"].as_py() == int(np.argmax(got[0]["1"].as_py()))

    def test_two_that_fit_are_refused(self, shelf: Shelf) -> None:
        model = graph(
            [node("Neg", "x", "minus"), node("Abs", "x", "plus")],
            [value("x", FLOAT, (None, 1))],
            [value("minus", FLOAT, (None, 1)), value("plus", FLOAT, (None, 1))],
        )
        uri = put(shelf, "onnx-two", model, signature(columns(a="double"), tensor("float32")))
        with pytest.raises(SignatureError, match="could be 2 of them"):
            shelf.pinned(uri)


class TestWhatDoesNotFit:
    @pytest.mark.parametrize(
        ("inputs", "found"),
        [
            (columns(a="double", b="double"), r"takes \(rows, 4\) as x, and the signature gives \(rows, 2\)"),
            (columns(a="string", b="double", c="double", d="double"), "the input a is string"),
            (columns(a="boolean", b="double", c="double", d="double"), "the input a is bool"),
            (tensor("float32", 2, 2), r"takes \(rows, 4\) as x, and the signature gives \(rows, 2, 2\)"),
            (tensors(("z", "float32", (4,))), "has an input x, the signature only z"),
        ],
    )
    def test_inputs_are_refused_on_the_driver(self, shelf: Shelf, inputs: Schema, found: str) -> None:
        uri = put(shelf, "onnx-unfit", WIDE, signature(inputs, named(("y", "float"))))
        with pytest.raises(SignatureError, match=found):
            shelf.pinned(uri)

    @pytest.mark.parametrize("kind", ["integer", "string"])
    def test_an_output_of_another_type_is_refused_on_the_driver(self, shelf: Shelf, kind: str) -> None:
        uri = put(shelf, "onnx-output", WIDE, signature(DOUBLES, named(("y", kind))))
        with pytest.raises(SignatureError, match=r"gives tensor\(float\) as y, and the signature says"):
            shelf.pinned(uri)

    def test_a_graph_without_inputs_gives_no_predictions(self, shelf: Shelf) -> None:
        model = graph([node("Identity", "w", "y")], [], [value("y", FLOAT, (2,))], w=np.ones(2, np.float32))
        uri = put(shelf, "onnx-constant", model, signature(columns(a="double"), named(("y", "float"))))
        with pytest.raises(PredictError, match="2 predictions for a batch of 1 rows"):
            scored(shelf, uri, pa.array([1.0]))

    def test_an_input_that_is_no_tensor_is_refused(self, shelf: Shelf) -> None:
        joined = node("ConcatFromSequence", "s", "y", axis=0)
        model = graph([joined], [sequence("s")], [value("y", FLOAT, (None,))])
        uri = put(shelf, "onnx-sequence", model, signature(columns(a="double"), named(("y", "float"))))
        with pytest.raises(SignatureError, match="takes a sequence_type as s"):
            shelf.pinned(uri)

    def test_a_graph_for_batches_of_one_size_is_refused(self, shelf: Shelf) -> None:
        model = graph([node("Neg", "x", "y")], [value("x", FLOAT, (1, 2))], [value("y", FLOAT, (1, 2))])
        uri = put(shelf, "onnx-one", model, signature(tensor("float32", 2), tensor("float32", 2)))
        with pytest.raises(SignatureError, match=r"takes \(1, 2\) as x"):
            shelf.pinned(uri)

    def test_without_onnx_on_the_driver_the_executor_refuses(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uri = put(shelf, "onnx-late", WIDE, signature(columns(a="double"), named(("y", "float"))))
        monkeypatch.setattr("sparkscore.model.runtimes.onnx.graph_file.find_spec", lambda _: None)
        placed = shelf.placed(uri)
        with pytest.raises(SignatureError, match=r"takes \(rows, 4\) as x"):
            placed.scorer()

    def test_a_file_that_is_no_graph_is_refused(self, shelf: Shelf, tmp_path: Path) -> None:
        uri = put(shelf, "onnx-torn", WIDE, signature(DOUBLES, named(("y", "float"))))
        (shelf.files("onnx-torn") / "model.onnx").write_bytes(b"\x08")
        with pytest.raises(ModelError, match=r"model.onnx is no ONNX graph"):
            shelf.pinned(uri)

    def test_weights_outside_the_folder_are_refused(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        model = linear(LINE.coef_.reshape(4, 1), np.array([LINE.intercept_]))
        uri = put(shelf, "onnx-outside", model, signature(DOUBLES, named(("y", "float"))))
        weight = model.graph.initializer[0]
        weight.ClearField("raw_data")
        weight.data_location = 1
        weight.external_data.add(key="location", value="../weights")
        saved(model, shelf.files("onnx-outside") / "model.onnx")
        with pytest.raises(ModelError, match="weights outside the model's folder"):
            shelf.pinned(uri)
        monkeypatch.setattr("sparkscore.model.runtimes.onnx.graph_file.find_spec", lambda _: None)
        with pytest.raises(ModelError, match="weights outside the model's folder"):  # where onnx is not installed, too
            shelf.pinned(uri)

    def test_weights_beside_the_graph_are_read(self, shelf: Shelf) -> None:
        big = linear(DRAW.normal(size=(600, 1)), np.zeros(1))
        uri = put(shelf, "onnx-beside", big, signature(tensor("float32", 600), tensor("float32", 1)))
        assert (shelf.files("onnx-beside") / "model.onnx").stat().st_size < 600 * 4
        assert len(scored(shelf, uri, *[pa.array([1.0], pa.float32())] * 600)) == 1


class TestSession:
    @pytest.mark.parametrize("cores", [1, 2])
    def test_threads_are_the_tasks_cores(self, tmp_path: Path, cores: int) -> None:
        path = saved(WIDE, tmp_path / "model.onnx")
        file = OnnxFile("model.onnx", (None,), 1, (("session.intra_op.allow_spinning", "1"), ("session.x", "7")))
        options = open_onnx_session(path, file, cores=cores, device=None).get_session_options()
        assert (options.intra_op_num_threads, options.inter_op_num_threads) == (cores, 1)
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
        assert options.get_session_config_entry("session.x") == "7"
        assert int(options.graph_optimization_level) == 1

    def test_the_authors_options_travel(self, shelf: Shelf) -> None:
        told = {
            "graph_optimization_level": 1,
            "intra_op_num_threads": 9,
            "extra_session_config": {"session.set_denormal_as_zero": "1"},
        }
        uri = put(shelf, "onnx-told", WIDE, signature(DOUBLES, named(("y", "float"))), onnx_session_options=told)
        assert shelf.placed(uri).model.file == OnnxFile(
            "model.onnx", ("y",), 1, (("session.set_denormal_as_zero", "1"),)
        )

    @pytest.mark.parametrize(("device", "why"), [("0", "CPUExecutionProvider"), ("GPU-8a", "no number")])
    def test_a_gpu_that_is_not_there_is_missed(self, tmp_path: Path, device: str, why: str) -> None:
        path = saved(WIDE, tmp_path / "model.onnx")
        with pytest.raises(
            ModelError, match=f"the GPU of the task .address {device}. cannot be used: .*{why}"
        ) as caught:
            open_onnx_session(path, OnnxFile("model.onnx", (None,)), cores=1, device=device)
        assert caught.value.exit_code == 4

    def test_a_gpu_is_asked_for_by_its_number(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[Any] = []

        class Session:
            def __init__(self, path: str, options: Any, providers: Any) -> None:
                asked.append((path, options.intra_op_num_threads, providers))

            def get_providers(self) -> list[str]:
                return ["CUDAExecutionProvider", "CPUExecutionProvider"]

        monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
        session = open_onnx_session(tmp_path / "model.onnx", OnnxFile("model.onnx", (None,)), cores=3, device="6")
        assert isinstance(session, Session)
        assert asked == [(str(tmp_path / "model.onnx"), 3, [("CUDAExecutionProvider", {"device_id": "6"})])]


def test_a_worker_needs_neither_mlflow_nor_pandas_and_leaves_nothing_in_the_home_folder(
    shelf: Shelf, tmp_path: Path
) -> None:
    uri = put(shelf, "onnx-light", WIDE, signature(DOUBLES, named(("y", "float"))))
    placed = shelf.placed(uri)
    work = f"""
        import os, pickle, sys
        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name in ("mlflow", "pandas", "sklearn", "onnx", "yaml", "pydantic"):
                    raise ModuleNotFoundError(name)
        sys.meta_path.insert(0, Absent())
        import pyarrow as pa
        from sparkscore.model.runtimes.model_loading import load_verified_scorer
        model = pickle.loads({pickle.dumps(placed.model)!r})
        score = load_verified_scorer(model, {placed.folder!r}, cores=1, device=None)
        print(score([pa.array([1.0])] * 4).predictions.to_pylist()[0], os.listdir(os.environ["HOME"]))
    """
    kept = ("PATH", "PYTHONPATH", "COVERAGE_PROCESS_CONFIG")  # not CI, which switches onnxruntime's telemetry off, too
    environment = {name: os.environ[name] for name in kept if name in os.environ} | {"HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(work)], check=False, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    expected = scored(shelf, uri, *[pa.array([1.0])] * 4).to_pylist()[0]
    assert done.stdout.split(maxsplit=1) == [str(expected), "[]\n"]


def test_the_labels_of_classes_are_those_of_the_graph(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    (tmp_path / "model.onnx").write_bytes(zipped(np.ones((4, 3))).SerializeToString())
    flavors = {"onnx": {"data": "model.onnx"}, "python_function": {"loader_module": "mlflow.onnx"}}
    (tmp_path / "MLmodel").write_text(json.dumps({"flavors": flavors}))
    assert find_class_labels(str(tmp_path), WARNING_POLICY) == (0, 1, 2)


class TestChoice:
    def test_params_and_own_code_go_through_mlflow(self, shelf: Shelf, tmp_path: Path) -> None:
        uri = put(shelf, "onnx-choice", WIDE, signature(DOUBLES, named(("y", "float"))))
        folder = shelf.pinned(uri).path
        said = dict(read_mlmodel(folder))
        assert choose_runtime("auto", said, {}, folder) == choose_runtime("onnx", said, {}, folder) == "onnx"
        assert choose_runtime("auto", said, {"n": 1}, folder) == "pyfunc"
        assert choose_runtime("auto", said, {}, tmp_path) == "pyfunc"
        for params, where, reason in (({"n": 1}, folder, "params are given"), ({}, tmp_path, "is not one file")):
            with pytest.raises(ModelError, match=f"runtime onnx, but .*{reason}") as caught:
                choose_runtime("onnx", said, params, where)
            assert caught.value.exit_code == 4

    def test_a_runtime_of_another_library_is_refused(self, shelf: Shelf) -> None:
        uri = put(shelf, "onnx-other", WIDE, signature(DOUBLES, named(("y", "float"))))
        with pytest.raises(ModelError, match=r"runtime torch, but the model is not loaded by mlflow\.pytorch"):
            shelf.pinned(uri, runtime="torch")
