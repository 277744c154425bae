"""A SentenceTransformer's network as an ONNX graph, in float32 or int8. Runs on the driver."""

import logging
import warnings
from pathlib import Path
from typing import Any

from sparkscore.errors import ModelError
from sparkscore.workloads.embeddings.embedding_options import ONNX_FILE, Precision
from sparkscore.workloads.embeddings.int8_graph import quantise_products

_OPSET = 17
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def export_encoder(network: Any, folder: Path, precision: Precision) -> None:
    """Write the graph of a transformers module, its attention fused where onnxruntime knows the architecture.

    Raises:  ModelError where it cannot be exported.
    """
    file = folder / ONNX_FILE
    previous = network.config._attn_implementation  # noqa: SLF001  there is no other way to ask
    network.set_attn_implementation("eager")  # what onnxruntime's fusions look for
    try:
        _trace_network(network, file)
    except Exception as error:
        raise ModelError(
            f"the network could not be exported to ONNX: {type(error).__name__}: {str(error)[:200]}",
            "an encoder of transformers with the inputs input_ids and attention_mask",
            "set runtime to torch",
        ) from error
    finally:
        network.set_attn_implementation(previous)
    _fuse_graph(file, network.config, precision)
    if precision == "int8":
        quantise_file(file)


def quantise_file(file: Path) -> int:
    """Turn the products of a graph's file into 8-bit ones, in place; how many there were."""
    import onnx

    model = onnx.load(str(file))
    products = quantise_products(model.graph)
    if products:
        onnx.save(model, str(file))
    return products


def _trace_network(network: Any, file: Path) -> None:
    import torch

    class LastHiddenState(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, *given: Any) -> Any:
            return self.inner(**dict(zip(names, given, strict=True))).last_hidden_state

    names = [name for name in _INPUTS if name != "token_type_ids" or getattr(network.config, "type_vocab_size", None)]
    example = torch.ones(3, 7, dtype=torch.long)
    axes = {0: "texts", 1: "tokens"}
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of tracing: shapes are dynamic where the texts are
        torch.onnx.export(
            LastHiddenState(network.eval()),
            tuple(example for _ in names),
            str(file),
            input_names=names,
            output_names=["token_embeddings"],
            dynamic_axes=dict.fromkeys((*names, "token_embeddings"), axes),
            opset_version=_OPSET,
            dynamo=False,
        )


def _fuse_graph(file: Path, config: Any, precision: Precision) -> None:
    """Fused attention, normalisation and GELU, where onnxruntime has them for the architecture: the same numbers."""
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    if getattr(config, "model_type", "") not in ("bert", "roberta", "xlm-roberta", "mpnet", "distilbert"):
        return
    options = FusionOptions("bert")
    options.enable_gelu_approximation = False
    options.use_multi_head_attention = precision == "int8"  # its products stay apart, and become integers
    logging.getLogger("onnxruntime.transformers").setLevel(logging.ERROR)
    heads = getattr(config, "num_attention_heads", 0)
    fused = optimizer.optimize_model(
        str(file), "bert", num_heads=heads, hidden_size=config.hidden_size, optimization_options=options, opt_level=0
    )
    fused.save_model_to_file(str(file))
