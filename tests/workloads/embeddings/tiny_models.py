"""A tokenizer of a few words, a network of random weights behind it, and one that computes by hand."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sparkscore.workloads.embeddings.embedding_model import EmbeddingModel
from sparkscore.workloads.embeddings.embedding_options import EmbeddingOptions
from sparkscore.workloads.embeddings.text_tokenizer import TextTokenizer

WORDS = ("a", "b", "c", "d", "e", "😀", "grüße")
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS)
SPECIAL = 2
"""[CLS] and [SEP] of each piece."""


def write_tokenizer(folder: Path) -> Path:
    """A `tokenizer.json` as BERT has it."""
    library = import_module("tokenizers")
    bert = library.BertWordPieceTokenizer({word: place for place, word in enumerate(VOCABULARY)}, strip_accents=False)
    file = folder / "tokenizer.json"
    bert.save(str(file))
    return file


class FirstTokens:
    """A network whose vectors are told from ids: their mean, and how many there are. It keeps what it was given."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def __call__(self, ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        self.calls.append((ids.shape[0], ids.shape[1]))
        counts = mask.sum(axis=1)
        return np.stack([(ids * mask).sum(axis=1) / counts, counts], axis=1).astype(np.float32)


def make_model(folder: Path, **options: Any) -> tuple[EmbeddingModel, FirstTokens]:
    """A model of the tokenizer above and of `FirstTokens`."""
    write_tokenizer(folder)
    chosen = EmbeddingOptions(**{"dimension": 2, "max_tokens": 8, "normalise": False} | options)
    network = FirstTokens()
    return EmbeddingModel(chosen, TextTokenizer(folder, chosen, cores=1), network), network


def make_transformer(folder: Path, *, seed: int = 0) -> Any:
    """A SentenceTransformer of random weights: two layers, vectors of 16."""
    library, modules = (
        import_module("transformers"),
        import_module("sentence_transformers.sentence_transformer.modules"),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))
    import_module("torch").manual_seed(seed)
    config = library.BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64,
    )  # fmt: skip
    saved = str(folder / "bert")
    library.BertModel(config).save_pretrained(saved)
    library.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(saved)
    parts = [modules.Transformer(saved), modules.Pooling(16), modules.Normalize()]
    return import_module("sentence_transformers").SentenceTransformer(modules=parts, device="cpu")


def least_cosine(found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> float:
    """Of the pairs of rows, the least."""
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    return float(((found * expected).sum(axis=1) / lengths).min())
