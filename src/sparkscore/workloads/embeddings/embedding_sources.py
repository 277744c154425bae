"""What an embedding model is saved from: network, tokenizer and limits of the original. Runs on the driver."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sparkscore.errors import ConfigError, ModelError
from sparkscore.workloads.embeddings.embedding_options import (
    ONNX_FILE,
    POOLINGS,
    TORCH_FOLDER,
    EmbeddingOptions,
    Pooling,
    Runtime,
)
from sparkscore.workloads.embeddings.encoder_export import export_encoder, quantise_file

_MAX_TOKENS = 512
"""Of a file `.onnx`, which does not say it."""
_PLAIN_MODULES = ("Transformer", "Pooling", "Normalize")
_URI_SCHEMES = ("models:/", "runs:/", "mlflow-artifacts:/")


@dataclass(frozen=True, slots=True)
class SourceModel:
    """A model as its author left it."""

    tokenizer: str
    """The text of tokenizer.json."""
    max_tokens: int
    most_tokens: int | None
    """What the network can take; None: not known."""
    pooling: Pooling
    prompt: str
    graph: Path | None = None
    transformer: Any = None
    encode: Callable[[list[str]], npt.NDArray[Any]] | None = None


def read_source_model(
    model: Any, tokenizer: str | Path | None, pooling: Pooling | None, runtime: Runtime
) -> SourceModel:
    """What `model` is, and what can be known of it.

    Raises:  ConfigError, ModelError.
    """
    if isinstance(model, str | Path) and str(model).endswith(".onnx"):
        return _read_graph(Path(model), tokenizer, pooling, runtime)
    if tokenizer is not None:
        raise ConfigError(
            "a tokenizer beside a model that has one", "a tokenizer only with a file .onnx", "leave it out"
        )
    transformer = _load_transformer(model)
    kinds = [type(module).__name__ for module in transformer]
    if runtime == "onnx" and any(kind not in _PLAIN_MODULES for kind in kinds):
        raise ModelError(
            f"the model has the modules {', '.join(kinds)}",
            f"only {', '.join(_PLAIN_MODULES)} for the runtime onnx",
            "set runtime to torch",
        )
    fast = getattr(transformer.tokenizer, "backend_tokenizer", None)
    if fast is None:
        raise ModelError("the model has no fast tokenizer", "one with a file tokenizer.json", "convert its tokenizer")
    config = getattr(transformer[0], "auto_model", None)
    most = getattr(getattr(config, "config", None), "max_position_embeddings", None)
    return SourceModel(
        tokenizer=fast.to_str(),
        max_tokens=int(transformer.max_seq_length or most or _MAX_TOKENS),
        most_tokens=most,
        pooling=_find_pooling(transformer, runtime),
        prompt=(transformer.prompts or {}).get(transformer.default_prompt_name or "", "") or "",
        transformer=transformer,
        encode=lambda texts: np.asarray(transformer.encode(texts, show_progress_bar=False)),
    )


def write_source_network(source: SourceModel, folder: Path, options: EmbeddingOptions) -> None:
    """The network in the form that executors load.

    Raises:  ModelError.
    """
    if source.graph is not None:
        shutil.copyfile(source.graph, folder / ONNX_FILE)
        if options.precision == "int8":
            quantise_file(folder / ONNX_FILE)
    elif options.runtime == "torch":
        source.transformer.save(str(folder / TORCH_FOLDER), create_model_card=False)
    else:
        export_encoder(source.transformer[0].auto_model, folder, options.precision)


def list_embedding_requirements(runtime: Runtime) -> list[str]:
    """The packages that executors need, as they are here."""
    libraries = ("sentence-transformers", "torch") if runtime == "torch" else ("onnxruntime", "onnxruntime-gpu")
    wanted = ("numpy", "pandas", "tokenizers", *libraries)
    return [f"{name}=={known}" for name in wanted if (known := _find_installed_version(name))]


def _read_graph(file: Path, tokenizer: str | Path | None, pooling: Pooling | None, runtime: Runtime) -> SourceModel:
    if runtime != "onnx":
        raise ConfigError(f"runtime {runtime} with a file .onnx", "runtime onnx", "leave runtime out")
    if tokenizer is None or not Path(tokenizer).is_file():
        raise ConfigError(
            f"the tokenizer {tokenizer} of a file .onnx", "the path of its tokenizer.json", "give the option tokenizer"
        )
    if not file.is_file():
        raise ModelError(f"no file {file}", "an ONNX graph", "correct the path")
    text = Path(tokenizer).read_text(encoding="utf-8")
    return SourceModel(text, _MAX_TOKENS, None, pooling or "mean", "", graph=file)


def _load_transformer(model: Any) -> Any:
    if not isinstance(model, str | Path):
        if type(model).__name__ != "SentenceTransformer":
            raise ConfigError(
                f"a {type(model).__name__} as an embedding model",
                "a SentenceTransformer, the folder or MLflow URI of one, or a file .onnx",
                "give one of these",
            )
        return model
    if str(model).startswith(_URI_SCHEMES) or Path(model, "MLmodel").is_file():
        from mlflow import sentence_transformers

        return sentence_transformers.load_model(str(model))
    if not Path(model).is_dir():
        raise ModelError(f"no folder {model}", "the folder of a SentenceTransformer", "correct the path")
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(model), device="cpu")


def _find_pooling(transformer: Any, runtime: Runtime) -> Pooling:
    """How the model's own layer makes one vector of those of the tokens; of no weight for the runtime torch."""
    if runtime == "torch":
        return "mean"
    layer = next((module for module in transformer if type(module).__name__ == "Pooling"), None)
    found = getattr(layer, "pooling_mode", None)
    for known in POOLINGS:
        if found == known:
            return known
    raise ModelError(f"the model pools its tokens by {found}", f"one of {', '.join(POOLINGS)}", "set runtime to torch")


def _find_installed_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
