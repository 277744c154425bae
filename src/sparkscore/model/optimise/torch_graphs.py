"""Graphs of PyTorch's modules, by torch.onnx."""

import tempfile
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from sparkscore.model.optimise.graph_building import OPSET, GraphBuilder, add_matrix_input, matrix_width
from sparkscore.model.optimise.library_graphs import join_graphs
from sparkscore.records import ModelInput


def convert_by_torch(module: Any, inputs: Sequence[ModelInput], *, device: str = "cpu") -> Any:
    """The graph of a module that takes one matrix of floats, rows open.

    By the exporter of today where the package onnxscript is installed, else by the one that traces.

    Raises:  ModelError for other inputs; whatever torch raises, which names the operator that ONNX lacks.
    """
    import onnx
    import torch

    example = torch.zeros((2, matrix_width(inputs)), dtype=torch.float32, device=device)
    with tempfile.TemporaryDirectory(prefix="sparkscore-torch-") as folder:
        path = Path(folder, "model.onnx")
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            _export_module(torch, _allow_modes(module), example, path)
        inner = onnx.load(str(path))
    builder = GraphBuilder()
    return join_graphs(builder, inner, {inner.graph.input[0].name: add_matrix_input(builder, inputs, np.float32)})


def _allow_modes(module: Any) -> Any:
    """A module that was exported refuses to change its mode, which the exporter sets though it is the right one."""
    try:
        module.eval()
    except NotImplementedError:
        module.train = module.eval = lambda *_: module
    return module


def _export_module(torch: Any, module: Any, example: Any, path: Path) -> None:
    names = {"input_names": ["rows"], "output_names": ["result"], "opset_version": OPSET}
    if find_spec("onnxscript") is not None:
        rows = torch.export.Dim("batch")
        with suppress(torch.onnx.errors.OnnxExporterError):
            torch.onnx.export(
                module, (example,), str(path), dynamo=True, dynamic_shapes=({0: rows},), external_data=False, **names
            )
            return
    open_rows = {"rows": {0: "batch"}, "result": {0: "batch"}}
    torch.onnx.export(module, (example,), str(path), dynamo=False, dynamic_axes=open_rows, **names)
