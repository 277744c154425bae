"""Tiny networks whose answers the tests know."""

from pathlib import Path
from typing import Any

COLOURS = ("red", "green", "blue")
PLAIN: dict[str, Any] = {"size": 32, "mean": (0, 0, 0), "std": (1, 1, 1), "resize_to": 32}
"""Values from 0 to 1 in 32 x 32 pixels."""


def write_colour_graph(file: Path, *, images: int | None = None, channels: int = 3) -> Path:
    """A graph whose classes are red, green and blue: ten times the mean of each channel. `images`: how many it takes at
    once, and no others; None: any number."""
    import onnx
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Mul", ["flat", "ten"], ["scores"]),
    ]
    rows = "n" if images is None else images
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [rows, channels, 32, 32])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [rows, channels])],
        [helper.make_tensor("ten", TensorProto.FLOAT, [1], [10.0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, str(file))
    return file


def make_detector() -> Any:
    """A module that finds the white rectangle, and with little certainty the whole image."""
    import torch

    class Detector(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def forward(self, images: Any) -> tuple[Any, Any, Any]:
            bright = (images[:, 0] > 0.5).to(torch.float32)
            columns, rows = bright.amax(1), bright.amax(2)
            sides = [columns.argmax(1), rows.argmax(1), 32 - columns.flip(1).argmax(1), 32 - rows.flip(1).argmax(1)]
            found = torch.stack(sides, 1).to(torch.float32)
            whole = torch.zeros_like(found) + torch.tensor([0.0, 0.0, 32.0, 32.0])
            scores = torch.stack([bright.amax((1, 2)), torch.zeros_like(bright[:, 0, 0]) + 0.3], 1)
            return torch.stack([whole, found], 1), scores.flip(1), torch.zeros_like(scores) + torch.tensor([1.0, 0.0])

    return Detector()
