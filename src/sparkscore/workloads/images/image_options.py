"""What an image model is: written beside its network when it is saved, read when it is loaded."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sparkscore.workloads.images.image_decoding import DecodingOptions
from sparkscore.workloads.images.image_preparation import PreparationOptions

Output = Literal["label", "top_k", "probabilities", "embedding", "boxes"]
OUTPUTS: tuple[Output, ...] = ("label", "top_k", "probabilities", "embedding", "boxes")
Source = Literal["bytes", "path"]
SOURCES: tuple[Source, ...] = ("bytes", "path")
Activation = Literal["softmax", "sigmoid", "none"]
ACTIVATIONS: tuple[Activation, ...] = ("softmax", "sigmoid", "none")

_FILE = "image_model.json"


@dataclass(frozen=True, slots=True)
class ImageModelOptions:
    """All of a saved image model but its network."""

    decoding: DecodingOptions
    preparation: PreparationOptions
    output: Output = "label"
    source: Source = "bytes"
    labels: tuple[str, ...] | None = None
    """The names of the classes; None: their numbers, as text."""
    activation: Activation = "softmax"
    """What makes probabilities of what the network gives."""
    top_k: int = 5
    """Of `top_k`: how many; of `boxes`: how many at most."""
    min_score: float = 0.5
    """Of `boxes`: lower ones are left out."""
    window: int = 16
    """How many images the network gets at once, while as many are decoded for the next call."""

    def name_class(self, number: int) -> str:
        """The label of a class.

        Raises:  IndexError where the labels are fewer than the network's classes.
        """
        return str(number) if self.labels is None else self.labels[number]


def write_image_options(folder: Path, options: ImageModelOptions) -> None:
    """Write them into a model's folder."""
    text = json.dumps(asdict(options), indent=1, ensure_ascii=False)
    (folder / _FILE).write_text(text, encoding="utf-8")


def load_image_options(folder: Path) -> ImageModelOptions:
    """Those in a model's folder.

    Raises:  FileNotFoundError, TypeError and ValueError for a folder that `write_image_options` has not written.
    """
    found: dict[str, Any] = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    decoding, preparation = found.pop("decoding"), found.pop("preparation")
    labels = found.pop("labels")
    return ImageModelOptions(
        DecodingOptions(**{**decoding, "background": tuple(decoding["background"])}),
        PreparationOptions(
            **{**preparation, "mean": tuple(preparation["mean"]), "std": tuple(preparation["std"])},
        ),
        labels=None if labels is None else tuple(labels),
        **found,
    )
