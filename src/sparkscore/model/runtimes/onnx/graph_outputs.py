"""Which of an ONNX graph's outputs a signature means. The driver checks before a run, executors when they load."""

from collections.abc import Sequence

import pyarrow as pa

from sparkscore.model.runtimes.onnx.graph import ONNX_TENSOR_TYPES, Graph, NodeArg, graph_mismatch_error, leaf_type
from sparkscore.model.signature.lossless_casts import is_lossless_cast
from sparkscore.model.signature.numpy_inputs import list_depth


def choose_graph_outputs(graph: Graph, names: Sequence[str | None], output: pa.DataType) -> tuple[str, ...]:
    """Which of the graph's outputs are the signature's, in its order: by name; the only one that there is, or fits.

    Raises:  SignatureError where that leaves a choice, or where their types hold more than the signature's.
    """
    multiple = len(names) > 1
    chosen = _choose_several_outputs(graph, names) if multiple else (_choose_single_output(graph, names[0], output),)
    kind_by_name = {node.name: node.kind for node in graph.outputs}
    types = [field.type for field in output] if multiple else [output]
    for name, expected in zip(chosen, types, strict=True):
        kind = ONNX_TENSOR_TYPES.get(kind_by_name[name])
        if kind is not None and not is_lossless_cast(kind, leaf_type(expected)):
            raise graph_mismatch_error(f"gives {kind_by_name[name]} as {name}, and the signature says {expected}")
    return chosen


def _choose_several_outputs(graph: Graph, names: Sequence[str | None]) -> tuple[str, ...]:
    available = [node.name for node in graph.outputs]
    if all(name is None for name in names) and len(names) == len(available):
        return tuple(available)
    missing = [str(name) for name in names if name not in available]
    if missing:
        raise graph_mismatch_error(f"has no output {', '.join(missing)}, only {', '.join(available)}")
    return tuple(str(name) for name in names)


def _choose_single_output(graph: Graph, name: str | None, output: pa.DataType) -> str:
    available = [node.name for node in graph.outputs]
    if name in available:
        return str(name)
    fitting = (
        available
        if len(available) == 1
        else [node.name for node in graph.outputs if _can_give_output_type(node, output)]
    )
    if len(fitting) != 1:
        raise graph_mismatch_error(
            f"has the outputs {', '.join(available)}, and the signature's, {output}, could be {len(fitting)} of them"
        )
    return fitting[0]


def _can_give_output_type(node: NodeArg, output: pa.DataType) -> bool:
    kind, nested = ONNX_TENSOR_TYPES.get(node.kind), list_depth(output)
    if kind is None or not is_lossless_cast(kind, leaf_type(output)):
        return False
    upright = nested == 0 and node.shape is not None and node.shape[1:] == (1,)
    return node.shape is None or upright or len(node.shape) == nested + 1
