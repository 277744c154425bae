"""What a network gives for a batch of images -> one prediction per image. Runs on executors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sparkscore.workloads.images.image_networks import Arrays
from sparkscore.workloads.images.image_options import ImageModelOptions
from sparkscore.workloads.images.image_preparation import Placement

_BOX_ARRAYS = 3


def to_image_predictions(arrays: Arrays, places: Sequence[Placement], options: ImageModelOptions) -> list[Any]:
    """One per image: a label; a list of labels with probabilities; a list of numbers; a list of boxes.

    Raises:  ValueError where the network's outputs are of another shape.
    """
    if options.output == "boxes":
        return _find_boxes(arrays, places, options)
    values = np.asarray(arrays[0])
    if len(values) != len(places):
        raise ValueError(f"the network gave {len(values)} rows for {len(places)} images")
    values = values.reshape(len(values), -1).astype(np.float32, copy=False)
    if options.output == "embedding":
        return list(values)
    scores = compute_probabilities(values, options.activation)
    if options.output == "probabilities":
        return list(scores)
    _require_labels(scores, options)
    if options.output == "label":
        return [options.name_class(int(number)) for number in scores.argmax(axis=1)]
    return [_rank_classes(row, options) for row in scores]


def compute_probabilities(values: npt.NDArray[np.float32], activation: str) -> npt.NDArray[np.float32]:
    """Probabilities per class, of what the last layer gives; in double precision inside."""
    if activation == "none":
        return values
    exact = values.astype(np.float64)
    if activation == "sigmoid":
        return (1 / (1 + np.exp(-exact))).astype(np.float32)
    powers = np.exp(exact - exact.max(axis=1, keepdims=True))
    found: npt.NDArray[np.float32] = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return found


def _require_labels(scores: npt.NDArray[np.float32], options: ImageModelOptions) -> None:
    if options.labels is not None and len(options.labels) != scores.shape[1]:
        raise ValueError(f"{len(options.labels)} labels for the network's {scores.shape[1]} classes")


def _rank_classes(scores: npt.NDArray[np.float32], options: ImageModelOptions) -> list[dict[str, Any]]:
    """The most probable ones first; of equal ones the first class."""
    order = np.argsort(-scores, kind="stable")[: options.top_k]
    return [{"label": options.name_class(int(one)), "probability": float(scores[one])} for one in order]


def _find_boxes(arrays: Arrays, places: Sequence[Placement], options: ImageModelOptions) -> list[list[dict[str, Any]]]:
    """The boxes of each image, the most certain first, in its own pixels."""
    if len(arrays) != _BOX_ARRAYS or any(len(one) != len(places) for one in arrays):
        raise ValueError(
            "a network that finds boxes gives three arrays: boxes (n, m, 4), scores (n, m), classes (n, m)"
        )
    found = []
    for boxes, scores, classes, place in zip(*arrays, places, strict=True):
        order = [one for one in np.argsort(-scores, kind="stable")[: options.top_k] if scores[one] >= options.min_score]
        corners = place.locate_boxes(np.asarray(boxes, np.float32)[order].reshape(-1, 4))
        found.append(
            [
                {
                    "label": options.name_class(int(classes[one])),
                    "score": float(scores[one]),
                    **dict(zip(("left", "top", "right", "bottom"), map(float, corner), strict=True)),
                }
                for one, corner in zip(order, corners, strict=True)
            ]
        )
    return found
