"""Writes a network into a model's folder: a PyTorch module as an ONNX graph or an exported program, or a file as it is.
Runs on the driver.
"""

import shutil
import warnings
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sparkscore.errors import ConfigError, ModelError
from sparkscore.workloads.images.image_networks import ONNX_FILE, TORCH_FILE, load_network

NetworkRuntime = Literal["onnx", "torch"]
_OPSET = 18
_TOLERANCE = 1e-3


def write_network(folder: Path, model: Any, shape: tuple[int, ...], runtime: NetworkRuntime) -> None:
    """Write the network: `model` is a `torch.nn.Module`, or the path of a file .onnx or .pt2.

    `shape`: of one image, as the network takes it. `runtime`: what a module becomes.

    Raises:  ConfigError for anything else; ModelError for a module that cannot be exported, or whose graph gives
             something else than the module does.
    """
    if isinstance(model, str | Path):
        _copy_network(folder, Path(model))
        return
    if find_spec("torch") is None or not isinstance(model, _module_class()):
        raise ConfigError(
            f"a network of the type {type(model).__name__}",
            "a torch.nn.Module, or the path of a file .onnx or .pt2",
            "give one of these",
        )
    module = model.to("cpu").eval()
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            _export_network(folder, module, shape, runtime)
    except Exception as error:
        raise ModelError(
            f"PyTorch could not export the module for {runtime}: {type(error).__name__}: {str(error)[:200]}",
            "a module of operators that can be exported, for any number of images",
            "try the other runtime, or export it yourself and give the file",
        ) from error
    _compare_outputs(folder, module, shape)


def _module_class() -> Any:
    import torch

    return torch.nn.Module


def _copy_network(folder: Path, file: Path) -> None:
    names = {".onnx": ONNX_FILE, ".pt2": TORCH_FILE}
    if file.suffix not in names or not file.is_file():
        raise ConfigError(
            f"the network {file}", "a file .onnx, in one piece, or .pt2 (torch.export.save)", "check its path"
        )
    shutil.copyfile(file, folder / names[file.suffix])


def _export_network(folder: Path, module: Any, shape: tuple[int, ...], runtime: NetworkRuntime) -> None:
    import torch

    example = torch.zeros((2, *shape))
    rows = torch.export.Dim("images")
    if runtime == "torch":
        torch.export.save(torch.export.export(module, (example,), dynamic_shapes=({0: rows},)), folder / TORCH_FILE)
        return
    outputs = module(example)
    names = ["output"] if isinstance(outputs, torch.Tensor) else [f"output_{at}" for at in range(len(outputs))]
    given: dict[str, Any] = {"input_names": ["images"], "output_names": names, "opset_version": _OPSET}
    if find_spec("onnxscript") is not None:
        given |= {"dynamo": True, "dynamic_shapes": ({0: rows},), "external_data": False}
    else:
        given |= {"dynamo": False, "dynamic_axes": {name: {0: "images"} for name in ("images", *names)}}
    torch.onnx.export(module, (example,), str(folder / ONNX_FILE), **given)


def _compare_outputs(folder: Path, module: Any, shape: tuple[int, ...]) -> None:
    """Refuse an export that computes something else than the module, for three images of noise."""
    import torch

    if (folder / ONNX_FILE).is_file() and find_spec("onnxruntime") is None:
        return
    images = np.random.default_rng(0).standard_normal((3, *shape)).astype(np.float32)
    with torch.inference_mode():
        result = module(torch.from_numpy(images))
    own = [one.numpy() for one in ([result] if isinstance(result, torch.Tensor) else result)]
    found = load_network(folder, threads=1)(images)
    worst = max(float(np.max(np.abs(one - other), initial=0.0)) for one, other in zip(own, found, strict=True))
    if worst > _TOLERANCE * max(1.0, *(float(np.max(np.abs(one), initial=0.0)) for one in own)):
        raise ModelError(
            f"the exported network differs from the module by {worst:.3g}",
            f"outputs that are equal within {_TOLERANCE:g}",
            "put the module into evaluation mode, or export it yourself and give the file",
        )
