"""Runs a network on arrays: an ONNX graph, or a program that PyTorch has exported. Runs on executors."""

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = Sequence[npt.NDArray[Any]]
"""What a network gives, one array per output, each with a row per image."""
Network = Callable[[npt.NDArray[np.float32]], Arrays]
"""A batch of prepared images -> its outputs."""

ONNX_FILE, TORCH_FILE = "network.onnx", "network.pt2"


def load_network(folder: Path, *, threads: int) -> Network:
    """The network in a model's folder, with so many threads.

    Raises:  FileNotFoundError where there is none; whatever its library raises.
    """
    if (folder / ONNX_FILE).is_file():
        return _load_onnx(folder / ONNX_FILE, threads)
    if (folder / TORCH_FILE).is_file():
        return _load_torch(folder / TORCH_FILE, threads)
    raise FileNotFoundError(f"neither {ONNX_FILE} nor {TORCH_FILE} is in the model")


def _load_onnx(file: Path, threads: int) -> Network:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    onnxruntime = import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # threads that wait actively would take the cores of those that decode
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    fixed = given.shape[0] if given.shape and isinstance(given.shape[0], int) else None

    def run(images: npt.NDArray[np.float32]) -> Arrays:
        outputs: Arrays = session.run(None, {given.name: images})
        return outputs

    return run if fixed is None else _pad_batches(run, fixed)


def _load_torch(file: Path, threads: int) -> Network:
    torch = import_module("torch")
    torch.set_num_threads(threads)
    module = torch.export.load(file).module()

    def run(images: npt.NDArray[np.float32]) -> Arrays:
        with torch.inference_mode():
            result = module(torch.from_numpy(images))
        tensors = [result] if isinstance(result, torch.Tensor) else list(result)
        return [one.numpy() for one in tensors]

    return run


def _pad_batches(run: Network, size: int) -> Network:
    """A network that takes so many images at once, and no others, for any number of them."""

    def run_padded(images: npt.NDArray[np.float32]) -> Arrays:
        parts = []
        for first in range(0, len(images), size):
            batch = images[first : first + size]
            missing = size - len(batch)
            padded = np.pad(batch, ((0, missing), (0, 0), (0, 0), (0, 0))) if missing else batch
            parts.append([output[: len(batch)] for output in run(padded)])
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    return run_padded
