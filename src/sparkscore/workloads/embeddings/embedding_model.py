"""The embedding model that MLflow's pyfunc loads: a batch of texts -> a vector per text. Runs on executors."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparkscore.errors import PredictError
from sparkscore.records.scored_rows import RowReject, ScoredRows
from sparkscore.workloads.embeddings.embedding_options import EmbeddingOptions, read_embedding_options
from sparkscore.workloads.embeddings.text_encoders import TextEncoder, load_text_encoder
from sparkscore.workloads.embeddings.text_tokenizer import TextTokenizer, TokenisedTexts
from sparkscore.workloads.embeddings.token_batches import pad_tokens, plan_token_batches

if TYPE_CHECKING:
    import pandas as pd

NULL_TEXT = RowReject("null_text", "the text is NULL")
EMPTY_TEXT = RowReject("empty_text", "the text is empty: it has no tokens")
INVALID_UTF8 = RowReject("invalid_utf8", "the bytes are no UTF-8")


def load_embedding_model(data_path: str) -> "EmbeddingModel":
    """A saved model. Threads: those that the engine set for the task."""
    options = read_embedding_options(data_path)
    cores = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    return EmbeddingModel(
        options,
        TextTokenizer(data_path, options, cores=cores),
        load_text_encoder(Path(data_path), options, cores=cores),
    )


_load_pyfunc = load_embedding_model  # the name that MLflow calls


class EmbeddingModel:
    """A tokenizer, a network, and what lies between them."""

    def __init__(self, options: EmbeddingOptions, tokenizer: TextTokenizer, encode: TextEncoder) -> None:
        self._options, self._tokenizer, self._encode = options, tokenizer, encode

    @property
    def options(self) -> EmbeddingOptions:
        """What it was saved with."""
        return self._options

    def with_options(self, options: EmbeddingOptions) -> "EmbeddingModel":
        """The same network and tokenizer with other options."""
        return EmbeddingModel(options, self._tokenizer, self._encode)

    def predict(self, model_input: "pd.DataFrame", params: Mapping[str, Any] | None = None) -> ScoredRows:
        """Vectors of the texts in the first column, (rows, dimension) of float32, in the order of the rows.

        Counts:  texts, tokens, padding_tokens, truncated_texts, chunked_texts, repeated_texts, network_calls.
        Raises:  PredictError for a network whose vectors have another length than the signature says.
        """
        del params  # it has none
        values = model_input.iloc[:, 0].tolist()
        texts, rejects = _split_texts(values)
        unique = {text: place for place, text in enumerate(dict.fromkeys(text for text in texts if text is not None))}
        tokenised = self._tokenizer.tokenise(list(unique))
        vectors, empty, counts = self._embed(tokenised, len(unique))
        places = [-1 if text is None else unique[text] for text in texts]
        for row, place in enumerate(places):
            if place >= 0 and empty[place]:
                rejects[row] = EMPTY_TEXT
        found = np.zeros((len(values), self._options.dimension), np.float32)
        if unique:
            kept = np.asarray(places) >= 0
            found[kept] = vectors[np.asarray(places)[kept]]
        known = sum(place >= 0 for place in places)
        counts |= {"texts": known, "repeated_texts": known - len(unique)}
        return ScoredRows(found, rejects, {name: float(count) for name, count in counts.items() if count})

    def _embed(
        self, tokenised: TokenisedTexts, texts: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], dict[str, int]]:
        """Vectors (texts, dimension), which texts have no tokens, counts."""
        weights = np.asarray(tokenised.weights, np.float32)
        wanted = np.flatnonzero(weights > 0)
        pieces = np.zeros((len(weights), self._options.dimension), np.float32)
        lengths = [len(tokenised.pieces[place]) for place in wanted]
        padded = calls = 0
        for batch in plan_token_batches(lengths, self._options.token_budget):
            places = wanted[batch]
            ids, mask = pad_tokens([tokenised.pieces[place] for place in places], self._tokenizer.pad_id)
            pieces[places] = self._normalise(self._checked(self._encode(ids, mask), len(places)))
            padded += ids.size
            calls += 1
        counts = {
            "tokens": sum(lengths),
            "padding_tokens": padded - sum(lengths),
            "network_calls": calls,
            "truncated_texts": tokenised.truncated_texts,
            "chunked_texts": tokenised.chunked_texts,
        }
        vectors, totals = _average_pieces(pieces, weights, np.asarray(tokenised.owners, np.intp), texts)
        return self._normalise(vectors), totals == 0, counts

    def _checked(self, vectors: npt.NDArray[np.float32], rows: int) -> npt.NDArray[np.float32]:
        expected = (rows, self._options.dimension)
        if vectors.shape != expected:
            raise PredictError(
                f"the network returned an array of the shape {vectors.shape} for {rows} texts",
                f"{expected}, as the model was saved with",
                "save the embedding model again from its network",
            )
        return vectors

    def _normalise(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if not self._options.normalise:
            return vectors
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.where(norms == 0, 1, norms)).astype(np.float32, copy=False)


def _split_texts(values: Sequence[object]) -> tuple[list[str | None], dict[int, RowReject]]:
    """Texts, None where there is none, and why. Bytes are UTF-8 or refused: nothing is replaced by guesswork."""
    texts: list[str | None] = []
    rejects: dict[int, RowReject] = {}
    for row, value in enumerate(values):
        text = value if isinstance(value, str) else None
        if isinstance(value, bytes | bytearray | memoryview):
            try:
                text = bytes(value).decode()
            except UnicodeDecodeError:
                rejects[row] = INVALID_UTF8
        elif text is None:
            rejects[row] = NULL_TEXT
        if text is not None and not text.strip():
            text, rejects[row] = None, EMPTY_TEXT
        texts.append(text)
    return texts, rejects


def _average_pieces(
    pieces: npt.NDArray[np.float32], weights: npt.NDArray[np.float32], owners: npt.NDArray[np.intp], texts: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Each text's vector, the average of its pieces' by their tokens, and its tokens."""
    totals = np.bincount(owners, weights, minlength=texts).astype(np.float32)
    if len(pieces) == texts:  # one piece each, in order
        return pieces, totals
    sums = np.zeros((texts, pieces.shape[1]), np.float32)
    np.add.at(sums, owners, pieces * weights[:, None])
    averages: npt.NDArray[np.float32] = (sums / np.maximum(totals, np.float32(1))[:, None]).astype(np.float32)
    return averages, totals
