"""Embeddings as they are written down by hand: onnxruntime and a fast tokenizer, 32 texts at a time, as they come."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

BATCH_ROWS = 32
"""SentenceTransformer's own."""
MAX_TOKENS = 256


class PlainEmbedder:
    """The graph and the tokenizer that ours has, one thread; each batch is padded to its longest."""

    def __init__(self, folder: str) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        file = str(Path(folder, "model.onnx"))
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._tokenizer: Any = Tokenizer.from_file(str(Path(folder, "tokenizer.json")))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()

    def __call__(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """Vectors of length 1, (texts, dimension)."""
        parts = [self._embed(texts[start : start + BATCH_ROWS]) for start in range(0, len(texts), BATCH_ROWS)]
        return np.concatenate(parts)

    def _embed(self, texts: list[str]) -> npt.NDArray[np.float32]:
        found = self._tokenizer.encode_batch(texts)
        ids = np.array([one.ids for one in found], np.int64)
        mask = np.array([one.attention_mask for one in found], np.int64)
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        tokens = self._session.run(None, feeds)[0]
        weights = mask[:, :, None].astype(np.float32)
        means = (tokens * weights).sum(axis=1) / weights.sum(axis=1)
        vectors: npt.NDArray[np.float32] = means / np.linalg.norm(means, axis=1, keepdims=True)
        return vectors
