"""The network: padded token ids to one vector per piece of a text. Runs on executors."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sparkscore.workloads.embeddings.embedding_options import ONNX_FILE, TORCH_FOLDER, EmbeddingOptions
from sparkscore.workloads.embeddings.token_batches import TokenIds, pool_tokens


class TextEncoder(Protocol):
    """Ids and mask (pieces, tokens) -> vectors (pieces, dimension), not normalised or as the model does it."""

    def __call__(self, ids: TokenIds, mask: TokenIds) -> npt.NDArray[np.float32]:
        """One vector per piece."""
        ...


def load_text_encoder(folder: str | Path, options: EmbeddingOptions, *, cores: int) -> TextEncoder:
    """The network of a saved model, with as many threads as the task has cores."""
    if options.runtime == "torch":
        return _TorchEncoder(folder, options, cores)
    return _OnnxEncoder(folder, options, cores)


class _OnnxEncoder:
    """A graph that gives a vector per token, or, with two dimensions, one per text already."""

    def __init__(self, folder: str | Path, options: EmbeddingOptions, cores: int) -> None:
        import onnxruntime

        session = onnxruntime.SessionOptions()
        session.intra_op_num_threads, session.inter_op_num_threads = cores, 1
        session.add_session_config_entry("session.intra_op.allow_spinning", "0" if cores == 1 else "1")
        file = str(Path(folder, ONNX_FILE))
        self._session: Any = onnxruntime.InferenceSession(file, session, providers=["CPUExecutionProvider"])
        self._names = {one.name for one in self._session.get_inputs()}
        self._pooling = options.pooling

    def __call__(self, ids: TokenIds, mask: TokenIds) -> npt.NDArray[np.float32]:
        feeds = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self._names:
            feeds["token_type_ids"] = np.zeros_like(ids)
        found = self._session.run(None, {name: feeds[name] for name in self._names})[0]
        return pool_tokens(found, mask, self._pooling) if found.ndim == 3 else found


class _TorchEncoder:
    """The whole SentenceTransformer behind its tokenizer: its own pooling and further layers."""

    def __init__(self, folder: str | Path, options: EmbeddingOptions, cores: int) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(cores)
        self._torch: Any = torch
        self._is_half = options.precision == "bfloat16"
        self._model: Any = SentenceTransformer(str(Path(folder, TORCH_FOLDER)), device="cpu").eval()

    def __call__(self, ids: TokenIds, mask: TokenIds) -> npt.NDArray[np.float32]:
        torch = self._torch
        features = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=self._is_half):
            found: npt.NDArray[np.float32] = self._model(features)["sentence_embedding"].float().numpy()
        return found
