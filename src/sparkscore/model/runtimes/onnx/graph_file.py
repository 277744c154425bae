"""What an ONNX file in a model's folder says, read on the driver where the package onnx is installed."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sparkscore.errors import ModelError
from sparkscore.model.runtimes.onnx.graph import NULL_TEXT_KEY, Graph, NodeArg


def read_onnx_graph(path: Path) -> Graph | None:
    """The graph's inputs and outputs; None if onnx is not installed: then the executors check them.

    Runs on: driver.
    Needs:   a file that `model/trust` has judged.
    Raises:  ModelError for a file that is no graph.
    """
    if find_spec("onnx") is None:
        return None
    onnx = import_module("onnx")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's errors have no class of their own in all versions
        raise ModelError(
            f"{path.name} is no ONNX graph: {type(error).__name__}", "a graph that onnx can read", "log the model again"
        ) from error
    graph = model.graph
    weights = {weight.name for weight in graph.initializer}
    inputs = tuple(_read_node_arg(onnx, one) for one in graph.input if one.name not in weights)
    null_text = next((one.value for one in model.metadata_props if one.key == NULL_TEXT_KEY), None)
    return Graph(inputs, tuple(_read_node_arg(onnx, one) for one in graph.output), null_text)


def _read_node_arg(onnx: Any, value_info: Any) -> NodeArg:
    kind = value_info.type.WhichOneof("value")
    if kind != "tensor_type":
        return NodeArg(value_info.name, str(kind), None)
    tensor = value_info.type.tensor_type
    name = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
    sizes = tuple(size.dim_value if size.dim_value > 0 else None for size in tensor.shape.dim)
    return NodeArg(value_info.name, f"tensor({name})", sizes if tensor.HasField("shape") else None)
