"""What an embedding model was saved with. Runs on executors."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from sparkscore.errors import ModelError

Precision = Literal["float32", "bfloat16", "int8"]
Runtime = Literal["onnx", "torch"]
OnLong = Literal["truncate", "chunk"]
Pooling = Literal["mean", "cls", "max"]

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "int8")
ON_LONG: tuple[OnLong, ...] = ("truncate", "chunk")
POOLINGS: tuple[Pooling, ...] = ("mean", "cls", "max")
OPTIONS_FILE = "embedding.json"
TOKENIZER_FILE = "tokenizer.json"
ONNX_FILE = "model.onnx"
TORCH_FOLDER = "sentence_transformer"


@dataclass(frozen=True, slots=True)
class EmbeddingOptions:
    """How texts become vectors."""

    dimension: int
    """Length of each vector."""
    max_tokens: int
    """Of one pass of the model, its special tokens included."""
    on_long: OnLong = "truncate"
    """A text with more tokens: only its first ones count, or all of its chunks, their vectors averaged by tokens."""
    overlap_tokens: int = 0
    """That a chunk has in common with the one before it."""
    normalise: bool = True
    """Vectors of length 1."""
    token_budget: int = 1024
    """Padded tokens of one call of the network, at most; a longer text is a call of its own."""
    precision: Precision = "float32"
    runtime: Runtime = "onnx"
    pooling: Pooling = "mean"
    """Of the network's vectors per token to one; with `runtime: torch` the model's own."""
    prompt: str = ""
    """Put before each text."""


def write_embedding_options(folder: str | Path, options: EmbeddingOptions) -> None:
    """The options, as a file of the model."""
    Path(folder, OPTIONS_FILE).write_text(json.dumps(asdict(options), indent=1) + "\n", encoding="utf-8")


def read_embedding_options(folder: str | Path) -> EmbeddingOptions:
    """The options of a saved model.

    Raises:  ModelError for a file of a newer version.
    """
    values = json.loads(Path(folder, OPTIONS_FILE).read_text(encoding="utf-8"))
    unknown = sorted(set(values) - {field.name for field in fields(EmbeddingOptions)})
    if unknown:
        raise ModelError(
            f"the embedding model has options that this version does not know: {', '.join(unknown)}",
            "a model saved by this version of sparkscore or an older one",
            "install the version that it was saved with",
        )
    return EmbeddingOptions(**values)
