"""An ONNX graph's inputs and outputs, as the driver reads them from its file and executors from onnxruntime."""

from dataclasses import dataclass

import pyarrow as pa

from sparkscore.errors import SignatureError

ONNX_TENSOR_TYPES = {
    "tensor(float)": pa.float32(),
    "tensor(double)": pa.float64(),
    "tensor(float16)": pa.float16(),
    "tensor(int8)": pa.int8(),
    "tensor(int16)": pa.int16(),
    "tensor(int32)": pa.int32(),
    "tensor(int64)": pa.int64(),
    "tensor(uint8)": pa.uint8(),
    "tensor(uint16)": pa.uint16(),
    "tensor(uint32)": pa.uint32(),
    "tensor(uint64)": pa.uint64(),
    "tensor(bool)": pa.bool_(),
    "tensor(string)": pa.string(),
}
"""Which Arrow type the elements of a tensor are."""
NULL_TEXT_KEY = "sparkscore.null_text"
"""Key of a graph's metadata: the text that stands for NULL in its inputs. Graphs of `optimize-model` have it."""


@dataclass(frozen=True, slots=True)
class NodeArg:
    """An input or an output of a graph."""

    name: str
    kind: str
    """As onnxruntime writes it: `tensor(float)`."""
    shape: tuple[int | None, ...] | None
    """None for a size that is open; None for the whole where not even its rank is known."""


@dataclass(frozen=True, slots=True)
class Graph:
    """What goes into a graph and what comes out."""

    inputs: tuple[NodeArg, ...]
    outputs: tuple[NodeArg, ...]
    null_text: str | None = None
    """What stands for NULL in its texts; None: it takes no NULL there."""


def leaf_type(kind: pa.DataType) -> pa.DataType:
    """The type of what is in lists, however deep."""
    return leaf_type(kind.value_type) if pa.types.is_list(kind) else kind


def graph_mismatch_error(found: str) -> SignatureError:
    """What to raise where a graph and a signature do not fit."""
    return SignatureError(
        f"the model's ONNX graph {found}",
        "a signature that describes the graph",
        "log the model again with such a signature, or set model.runtime to pyfunc and let MLflow try",
    )
