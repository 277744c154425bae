"""Graphs by the packages that convert models: skl2onnx, onnxmltools, CatBoost. Runs in the optimiser's process."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.model.optimise.function_converters import register_function_converters
from sparkscore.model.optimise.graph_building import ML_DOMAIN, OPSET, GraphBuilder, add_matrix_input, matrix_width
from sparkscore.records import ModelInput

_INNER = "sparkscore_inner_"
_LIBRARY_ML_OPSET = 3
"""skl2onnx writes no newer one."""
_LOOK_UP_OPSET = 4
_FLOAT_MODULES = ("sklearn.tree", "sklearn.ensemble._forest", "sklearn.ensemble._gb", "lightgbm", "xgboost")
"""Whose estimators round what they are given to floats, or whose converters take nothing else."""


def convert_by_skl2onnx(estimator: Any, inputs: Sequence[ModelInput], *, double: bool) -> Any:
    """The graph of a scikit-learn estimator; numbers in double precision, or rounded to floats inside of the graph.

    Raises:  whatever skl2onnx raises for what it does not take.
    """
    from skl2onnx import to_onnx

    register_function_converters()
    by_columns = _takes_columns(estimator) and inputs[0].name is not None
    builder = GraphBuilder()
    make_types = _column_types if by_columns else _matrix_type
    types, feeds = make_types(builder, inputs, double=double)
    options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "classes_") else None
    opset = {"": OPSET, ML_DOMAIN: _LIBRARY_ML_OPSET}
    with _silence():
        inner = to_onnx(estimator, initial_types=types, options=options, target_opset=opset)
    return join_graphs(builder, inner, feeds)


def convert_matrix_estimator(builder: GraphBuilder, features: str, estimator: Any, width: int) -> Any:
    """The graph of an estimator behind features that are made already, (n, width) doubles.

    Raises:  whatever skl2onnx raises for what it does not take.
    """
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    register_function_converters()
    options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "classes_") else None
    opset = {"": OPSET, ML_DOMAIN: _LIBRARY_ML_OPSET}
    in_floats = type(estimator).__module__.startswith(_FLOAT_MODULES)
    kind = (FloatTensorType if in_floats else DoubleTensorType)([None, width])
    with _silence():
        inner = to_onnx(estimator, initial_types=[("X", kind)], options=options, target_opset=opset)
    return join_graphs(builder, inner, {"X": builder.cast(features, np.float32) if in_floats else features})


def convert_by_onnxmltools(estimator: Any, inputs: Sequence[ModelInput]) -> Any:
    """The graph of a model of LightGBM or XGBoost, in floats.

    Raises:  whatever onnxmltools raises for what it does not take.
    """
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    convert = onnxmltools.convert_xgboost if _module_of(estimator) == "xgboost" else onnxmltools.convert_lightgbm
    more = {} if _module_of(estimator) == "xgboost" else {"zipmap": False}
    builder = GraphBuilder()
    name = add_matrix_input(builder, inputs, np.float32)
    with _silence():
        inner = convert(
            _without_feature_names(estimator),
            initial_types=[("X", FloatTensorType([None, matrix_width(inputs)]))],
            target_opset=15,
            **more,
        )
    return join_graphs(builder, inner, {"X": name})


def _without_feature_names(estimator: Any) -> Any:
    """onnxmltools takes no names of XGBoost's features but its own; a copy without them."""
    if _module_of(estimator) != "xgboost":
        return estimator
    copied = deepcopy(estimator)
    booster = copied.get_booster() if hasattr(copied, "get_booster") else copied
    booster.feature_names = None
    return copied


def convert_by_catboost(estimator: Any, inputs: Sequence[ModelInput]) -> Any:
    """The graph that CatBoost itself writes, in floats.

    Raises:  whatever CatBoost raises: for categories, text and embeddings, which its graphs do not take.
    """
    import onnx

    with tempfile.TemporaryDirectory(prefix="sparkscore-catboost-") as folder:
        path = Path(folder, "model.onnx")
        estimator.save_model(str(path), format="onnx")
        inner = onnx.load(str(path))
    for node in [node for node in inner.graph.node if node.op_type == "ZipMap"]:
        for output in inner.graph.output:
            if output.name == node.output[0]:
                output.name = node.input[0]
                output.type.Clear()
        inner.graph.node.remove(node)
    builder = GraphBuilder()
    return join_graphs(builder, inner, {inner.graph.input[0].name: add_matrix_input(builder, inputs, np.float32)})


def join_graphs(builder: GraphBuilder, inner: Any, feeds: Mapping[str, str]) -> Any:
    """The builder's nodes, and behind them an inner graph whose inputs they make; it keeps its outputs.

    Needs:   `feeds`, value of the builder by input of the inner graph.
    """
    from onnx.compose import add_prefix

    inner = add_prefix(inner, _INNER)
    for name, value in feeds.items():
        builder.add_identity(value, f"{_INNER}{name}")
    joined = builder.finish([])
    graph = joined.graph
    graph.node.extend(inner.graph.node)
    graph.initializer.extend(inner.graph.initializer)
    for output in inner.graph.output:
        graph.output.add().name = output.name
    versions = {one.domain: one.version for one in joined.opset_import}
    versions.update({one.domain: one.version for one in inner.opset_import})
    versions[""] = max(versions[""], 13)
    versions[ML_DOMAIN] = _LOOK_UP_OPSET  # of the builder's look-ups; the packages' trees are gone in the next one
    del joined.opset_import[:]
    for domain, version in versions.items():
        entry = joined.opset_import.add()
        entry.domain, entry.version = domain, version
    return repair_tree_outputs(joined)


def repair_tree_outputs(model: Any) -> Any:
    """The model with casts behind nodes of trees that take doubles: they give floats, and what follows expects doubles.

    The packages write these nodes as if they gave doubles.
    """
    from onnx import TensorProto, helper

    nodes = []
    for node in model.graph.node:
        nodes.append(node)
        is_double = any(
            one.name.endswith("_as_tensor") and one.t.data_type == TensorProto.DOUBLE for one in node.attribute
        )
        if node.op_type.startswith("TreeEnsemble") and node.domain == ML_DOMAIN and is_double:
            place = len(node.output) - 1
            output, node.output[place] = node.output[place], f"{node.output[place]}_float"
            nodes.append(helper.make_node("Cast", [node.output[place]], [output], to=TensorProto.DOUBLE))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _takes_columns(estimator: Any) -> bool:
    first = estimator.steps[0][1] if hasattr(estimator, "steps") else estimator
    return type(first).__name__ == "ColumnTransformer" or (hasattr(first, "steps") and _takes_columns(first))


def _column_types(
    builder: GraphBuilder, inputs: Sequence[ModelInput], *, double: bool
) -> tuple[list[tuple[str, Any]], dict[str, str]]:
    from skl2onnx.common import data_types as kinds

    known = {
        pa.string(): (None, kinds.StringTensorType),
        pa.int64(): (None, kinds.Int64TensorType),
        pa.int32(): (np.int64, kinds.Int64TensorType),
        pa.bool_(): (np.int64, kinds.Int64TensorType),
        pa.float32(): (None, kinds.FloatTensorType),
        pa.float64(): (None, kinds.DoubleTensorType) if double else (np.float32, kinds.FloatTensorType),
    }
    types, feeds = [], {}
    for one in inputs:
        cast, kind = known[one.type]
        name = builder.add_column_input(one)
        feeds[name] = builder.to_column(name if cast is None else builder.cast(name, cast))
        types.append((name, kind([None, 1])))
    return types, feeds


def _matrix_type(
    builder: GraphBuilder, inputs: Sequence[ModelInput], *, double: bool
) -> tuple[list[tuple[str, Any]], dict[str, str]]:
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    name = add_matrix_input(builder, inputs, np.float64 if double else np.float32)
    return [("X", (DoubleTensorType if double else FloatTensorType)([None, matrix_width(inputs)]))], {"X": name}


def _module_of(estimator: Any) -> str:
    return type(estimator).__module__.partition(".")[0]


@contextmanager
def _silence() -> Iterator[None]:
    """Without what the packages print and warn of."""
    import warnings

    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        yield
