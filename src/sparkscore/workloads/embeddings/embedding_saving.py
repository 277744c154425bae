"""Saves a SentenceTransformer, or an ONNX graph and its tokenizer, as an embedding model. Runs on the driver."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sparkscore.errors import ConfigError, ModelError
from sparkscore.workloads.embeddings.embedding_options import (
    ON_LONG,
    POOLINGS,
    PRECISIONS,
    TOKENIZER_FILE,
    EmbeddingOptions,
    OnLong,
    Pooling,
    Precision,
    Runtime,
    write_embedding_options,
)
from sparkscore.workloads.embeddings.embedding_sources import (
    SourceModel,
    list_embedding_requirements,
    read_source_model,
    write_source_network,
)

_LOADER = "sparkscore.workloads.embeddings.embedding_model"
BATCH_ROWS = 4096
"""Texts that are sorted by length together."""
_EXAMPLES = (
    "A short text.",
    "Batch inference reads a table, applies a model to each row, and writes what it predicts.",
    "Ein Text mit Umlauten: für, schön, Größe. 日本語 😀 " + "and words, many of them, " * 60,
)
_LEAST_COSINE: Mapping[Precision, float] = {"float32": 0.9999, "bfloat16": 0.9995, "int8": 0.96}
"""Of the saved model to the original, on the examples: less is a fault in the conversion, not rounding."""


class _SavedModel(NamedTuple):
    """What `mlflow.pyfunc` saves."""

    data: Path
    signature: Any
    requirements: list[str]
    metadata: Mapping[str, Any]


def save_embedding_model(path: str | Path, model: Any, **options: Any) -> None:
    """Save an embedding model as an MLflow model in a new folder. Options: those of `log_embedding_model`.

    Raises:  as `log_embedding_model`.
    """
    import mlflow

    with _make_embedding_model(model, **options) as made:
        mlflow.pyfunc.save_model(str(path), **_to_arguments(made))


def log_embedding_model(name: str, model: Any, *, registered_model_name: str | None = None, **options: Any) -> Any:
    """Log an embedding model as an MLflow model: a text (string, or binary of UTF-8) -> `array<float>`.

    `model`: a `SentenceTransformer`; the folder of one; an MLflow model of the flavour sentence_transformers (URI or
    folder); or a file `.onnx`, with `tokenizer`, the file `tokenizer.json`. Options:
    `precision`: float32; bfloat16 (needs torch on the executors, pays on CPUs with AVX512-BF16 or AMX); int8.
    `runtime`: onnx, or torch for models with more than pooling and normalisation behind the network.
    `max_tokens`: default is the model's own. `on_long`: truncate, or chunk: the average of all chunks by their tokens,
    with `overlap_tokens`. `normalise`. `pooling`: mean, cls or max, for a file `.onnx`. `prompt`: before each text.
    `token_budget`: padded tokens per call of the network. `input_column`, `input_type` (string or binary).
    `batch_rows`: texts that are sorted by length together.

    Returns: MLflow's ModelInfo.
    Jobs:    none.
    Raises:  ConfigError for options that do not fit; ModelError for a network that cannot be converted, or whose
             vectors are others afterwards.
    """
    import mlflow

    with _make_embedding_model(model, **options) as made:
        return mlflow.pyfunc.log_model(name=name, registered_model_name=registered_model_name, **_to_arguments(made))


def _to_arguments(made: _SavedModel) -> dict[str, Any]:
    return {
        "loader_module": _LOADER,
        "data_path": str(made.data),
        "signature": made.signature,
        "pip_requirements": made.requirements,
        "metadata": dict(made.metadata),
    }


@contextmanager
def _make_embedding_model(  # noqa: PLR0913 - what the public functions take
    model: Any,
    *,
    tokenizer: str | Path | None = None,
    precision: Precision = "float32",
    runtime: Runtime | None = None,
    max_tokens: int | None = None,
    on_long: OnLong = "truncate",
    overlap_tokens: int = 0,
    normalise: bool = True,
    token_budget: int = 1024,
    pooling: Pooling | None = None,
    prompt: str | None = None,
    input_column: str = "text",
    input_type: str = "string",
    batch_rows: int = BATCH_ROWS,
) -> Iterator[_SavedModel]:
    """A folder with network, tokenizer and options, as long as the block lasts."""
    chosen = runtime or ("torch" if precision == "bfloat16" else "onnx")
    _check_choices(precision, chosen, on_long, pooling, input_type)
    source = read_source_model(model, tokenizer, pooling, chosen)
    options = EmbeddingOptions(
        dimension=0,
        max_tokens=max_tokens or source.max_tokens,
        on_long=on_long,
        overlap_tokens=overlap_tokens,
        normalise=normalise,
        token_budget=token_budget,
        precision=precision,
        runtime=chosen,
        pooling=source.pooling,
        prompt=source.prompt if prompt is None else prompt,
    )
    _check_numbers(options, source, batch_rows)
    with tempfile.TemporaryDirectory(prefix="sparkscore-embeddings-") as folder:
        data = Path(folder, "embedding_model")
        data.mkdir()
        Path(data, TOKENIZER_FILE).write_text(source.tokenizer, encoding="utf-8")
        write_source_network(source, data, options)
        options = replace(options, dimension=_compare_examples(data, options, source))
        write_embedding_options(data, options)
        yield _SavedModel(
            data,
            _make_signature(input_column, input_type),
            list_embedding_requirements(chosen),
            {
                "sparkscore": {"batch_rows": batch_rows},
                "embedding": {"dimension": options.dimension, "max_tokens": options.max_tokens},
            },
        )


def _check_choices(precision: str, runtime: str, on_long: str, pooling: str | None, input_type: str) -> None:
    known: Mapping[str, tuple[str, tuple[str, ...]]] = {
        "precision": (precision, PRECISIONS),
        "runtime": (runtime, ("onnx", "torch")),
        "on_long": (on_long, ON_LONG),
        "pooling": (pooling or "mean", POOLINGS),
        "input_type": (input_type, ("string", "binary")),
    }
    for name, (value, allowed) in known.items():
        if value not in allowed:
            raise ConfigError(f"{name} {value!r} of an embedding model", f"one of {', '.join(allowed)}", "correct it")
    if (precision == "int8" and runtime == "torch") or (precision == "bfloat16" and runtime == "onnx"):
        other = "onnx" if precision == "int8" else "torch"
        raise ConfigError(
            f"precision {precision} with runtime {runtime}", f"runtime {other}", f"set runtime to {other}"
        )


def _check_numbers(options: EmbeddingOptions, source: SourceModel, batch_rows: int) -> None:
    wrong = [
        text
        for text, holds in (
            (f"max_tokens {options.max_tokens}", 3 <= options.max_tokens <= (source.most_tokens or options.max_tokens)),
            (f"overlap_tokens {options.overlap_tokens}", 0 <= options.overlap_tokens < options.max_tokens // 2),
            (f"token_budget {options.token_budget}", options.token_budget >= 1),
            (f"batch_rows {batch_rows}", batch_rows >= 1),
        )
        if not holds
    ]
    if wrong:
        raise ConfigError(
            f"an embedding model with {', '.join(wrong)}",
            f"max_tokens from 3 to {source.most_tokens or 'what the network takes'}, an overlap below half of it, "
            "numbers from 1",
            "correct them",
        )


def _compare_examples(data: Path, options: EmbeddingOptions, source: SourceModel) -> int:
    """The dimension. The saved model is loaded as executors will, and compared with the original, where that can be."""
    import pandas as pd

    from sparkscore.workloads.embeddings.embedding_model import EmbeddingModel
    from sparkscore.workloads.embeddings.text_encoders import load_text_encoder
    from sparkscore.workloads.embeddings.text_tokenizer import TextTokenizer
    from sparkscore.workloads.embeddings.token_batches import pad_tokens

    tokenizer, encode = TextTokenizer(data, options, cores=1), load_text_encoder(data, options, cores=1)
    dimension = int(encode(*pad_tokens([tokenizer.tokenise(["a"]).pieces[0]], tokenizer.pad_id)).shape[1])
    if source.encode is None or options.on_long == "chunk" or options.max_tokens != source.max_tokens:
        return dimension
    if options.prompt != source.prompt:
        return dimension
    model = EmbeddingModel(replace(options, dimension=dimension), tokenizer, encode)
    found = np.asarray(model.predict(pd.DataFrame({"text": _EXAMPLES})).predictions)
    _require_equal_vectors(found, source.encode(list(_EXAMPLES)), options.precision)
    return dimension


def _require_equal_vectors(found: npt.NDArray[Any], original: npt.NDArray[Any], precision: Precision) -> None:
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(original, axis=1)
    cosine = float(((found * original).sum(axis=1) / lengths).min()) if found.shape == original.shape else 0.0
    if not cosine >= _LEAST_COSINE[precision]:
        raise ModelError(
            f"the converted model's vectors have a cosine of {cosine:.4f} to the original's on three texts",
            f"at least {_LEAST_COSINE[precision]} for {precision}",
            "set runtime to torch, or another precision",
        )


def _make_signature(column: str, kind: str) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    given = ColSpec(DataType[kind], column, required=False)  # a row without a text is a reject
    return ModelSignature(Schema([given]), Schema([ColSpec(Array(DataType.float))]))
