"""The models of the matrix that need a library of their own, in all ways, against MLflow itself."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import Schema, TensorSpec
from pyspark.sql import SparkSession

from tests.model.shelf import Shelf, columns, positions, signature, tensor
from tests.scoring.model_matrix import ModelCase, call_all_ways, documented_rows, table_row
from tests.warm_daemon import MORE

pytest.importorskip("torch")
pytestmark = pytest.mark.slow

_DRAW = np.random.default_rng(7)
DOUBLES = pd.DataFrame({"x": _DRAW.normal(size=40), "y": _DRAW.normal(size=40)})
TARGET = 2 * DOUBLES["x"] - DOUBLES["y"] + _DRAW.normal(size=40) / 10
MIXED = pd.DataFrame({"n": np.arange(40, dtype="int32"), "x": DOUBLES["x"]})
ARRAYS = pd.DataFrame({"v": DOUBLES.astype("float32").to_numpy().tolist()})
TEXTS = pd.DataFrame({"text": ["a b", "b c", "c a b", "a"]})
PAIR = "x double, y double"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c"]


@pytest.fixture(scope="module", autouse=True)
def workers_with_mlflow(spark: SparkSession) -> Iterator[None]:
    """MLflow's own function needs it in any worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(spark.sparkContext.environment, MORE, "mlflow.pyfunc")
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setitem(spark.sparkContext.environment, "HF_HUB_OFFLINE", "1")
        yield


def put_flavor(name: str, model: Any, signed: ModelSignature, shelf: Shelf, **more: Any) -> str:
    """A model of a flavour of MLflow."""
    flavor = getattr(mlflow, name)
    return shelf.logged(f"matrix-{name}", partial(flavor.log_model, model), signed, **more)


def statsmodels(shelf: Shelf) -> str:
    """Least squares."""
    model = import_module("statsmodels.api").OLS(TARGET, DOUBLES).fit()
    return put_flavor("statsmodels", model, infer_signature(DOUBLES, model.predict(DOUBLES)), shelf)


def lightgbm(shelf: Shelf) -> str:
    """A classifier with the interface of scikit-learn, over integers and doubles."""
    library = import_module("lightgbm")
    model = library.LGBMClassifier(n_estimators=3, min_child_samples=2, verbose=-1).fit(MIXED, TARGET > 0)
    return put_flavor("lightgbm", model, infer_signature(MIXED, model.predict(MIXED)), shelf)


def xgboost(shelf: Shelf) -> str:
    """A regressor."""
    model = import_module("xgboost").XGBRegressor(n_estimators=3, max_depth=2).fit(DOUBLES, TARGET)
    return put_flavor("xgboost", model, infer_signature(DOUBLES, model.predict(DOUBLES)), shelf)


def catboost(shelf: Shelf) -> str:
    """A regressor."""
    library = import_module("catboost")
    model = library.CatBoostRegressor(iterations=3, depth=2, verbose=False, allow_writing_files=False).fit(
        DOUBLES, TARGET
    )
    return put_flavor("catboost", model, infer_signature(DOUBLES, model.predict(DOUBLES)), shelf)


def prophet(shelf: Shelf) -> str:
    """A forecast without draws, over dates."""
    library = import_module("prophet")
    days = pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=40), "y": TARGET})
    model = library.Prophet(uncertainty_samples=0, weekly_seasonality=False, yearly_seasonality=False).fit(days)
    signed = infer_signature(days[["ds"]], model.predict(days[["ds"]])[["ds", "yhat"]])
    return put_flavor("prophet", model, signed, shelf)


def torch(shelf: Shelf) -> str:
    """A linear layer over a tensor."""
    library = import_module("torch")
    library.manual_seed(0)
    signed = signature(tensor("float32", 2), tensor("float32", 3))
    return put_flavor("pytorch", library.nn.Linear(2, 3), signed, shelf, serialization_format="pickle")


def onnx(shelf: Shelf) -> str:
    """A graph with a named tensor."""
    helper = import_module("onnx").helper
    kind = import_module("onnx").TensorProto.FLOAT
    weights = helper.make_tensor("w", kind, [2, 1], [2.0, -1.0])
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["v", "w"], ["o"])],
        "matrix",
        [helper.make_tensor_value_info("v", kind, ["n", 2])],
        [helper.make_tensor_value_info("o", kind, ["n", 1])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    inputs, outputs = (
        Schema([TensorSpec(np.dtype("float32"), (-1, size), name)]) for name, size in (("v", 2), ("o", 1))
    )
    return put_flavor("onnx", model, ModelSignature(inputs, outputs), shelf)


def tiny_bert(folder: Path) -> tuple[Any, Any]:
    """Weights drawn at random, and a tokenizer of three words."""
    library = import_module("transformers")
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))
    import_module("torch").manual_seed(0)
    config = library.BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        max_position_embeddings=32,
    )  # fmt: skip
    return config, library.BertTokenizerFast(str(folder / "vocab.txt"))


def transformers(shelf: Shelf) -> str:
    """A classifier of texts."""
    library = import_module("transformers")
    config, tokenizer = tiny_bert(shelf.folder / "bert")
    model = library.BertForSequenceClassification(config).eval()
    pipeline = library.pipeline("text-classification", model=model, tokenizer=tokenizer)
    signed = signature(columns(text="string"), columns(label="string", score="double"))
    return put_flavor("transformers", pipeline, signed, shelf)


def generation(shelf: Shelf) -> str:
    """The likeliest continuation of a text, by GPT-2 of random weights."""
    library = import_module("transformers")
    _, tokenizer = tiny_bert(shelf.folder / "bert")
    import_module("torch").manual_seed(0)
    config = library.GPT2Config(
        vocab_size=len(VOCABULARY), n_positions=32, n_embd=8, n_layer=1, n_head=2, bos_token_id=2, eos_token_id=3
    )
    pipeline = library.pipeline("text-generation", model=library.GPT2LMHeadModel(config).eval(), tokenizer=tokenizer)
    signed = signature(columns(text="string"), positions("string"), max_new_tokens=4, do_sample=False)
    return shelf.logged("matrix-generation", partial(mlflow.transformers.log_model, pipeline), signed)


def sentence_transformers(shelf: Shelf) -> str:
    """Embeddings of texts."""
    library = import_module("sentence_transformers")
    models = import_module("sentence_transformers.sentence_transformer.modules")
    config, tokenizer = tiny_bert(shelf.folder / "bert")
    folder = str(shelf.folder / "bert-saved")
    import_module("transformers").BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    word = models.Transformer(folder)
    model = library.SentenceTransformer(modules=[word, models.Pooling(8)])
    signed = signature(columns(text="string"), tensor("float32", 8))
    return put_flavor("sentence_transformers", model, signed, shelf)


def case(name: str, put: Callable[[Shelf], str], rows: pd.DataFrame, schema: str, kind: str, library: str) -> Any:
    """A case that is skipped where its library is not there."""
    has_library = pytest.mark.skipif(not _is_installed(library), reason=f"{library} is not installed")
    return pytest.param(ModelCase(name, put, rows, schema, kind), id=library, marks=has_library)


def _is_installed(library: str) -> bool:
    return any((Path(entry) / library).is_dir() for entry in os.sys.path)  # type: ignore[attr-defined]


DAYS = pd.DataFrame({"ds": pd.date_range("2020-03-01", periods=5)})


@pytest.mark.parametrize(
    "one",
    [
        case("statsmodels, doubles", statsmodels, DOUBLES, PAIR, "float", "statsmodels"),
        case("LightGBM classifier, integers and doubles", lightgbm, MIXED, "n int, x double", "boolean", "lightgbm"),
        case("XGBoost regressor, doubles", xgboost, DOUBLES, PAIR, "double", "xgboost"),
        case("CatBoost regressor, doubles", catboost, DOUBLES, PAIR, "string", "catboost"),
        case("Prophet, times", prophet, DAYS, "ds timestamp", "double", "prophet"),
        case(
            "PyTorch, a tensor (-1, 2) as one column of arrays",
            torch,
            ARRAYS,
            "v array<float>",
            "array<float>",
            "torch",
        ),
        case("ONNX, a named tensor as a column of arrays", onnx, ARRAYS, "v array<float>", "array<double>", "onnx"),
        case("transformers, text", transformers, TEXTS, "text string", "label string, score float", "transformers"),
        case("transformers, text generation", generation, TEXTS, "text string", "string", "transformers"),
        case(
            "sentence-transformers, text",
            sentence_transformers,
            TEXTS,
            "text string",
            "array<float>",
            "sentence_transformers",
        ),
    ],
)
def test_the_page_says_what_becomes_of_each_way(spark: SparkSession, shelf: Shelf, one: ModelCase) -> None:
    assert table_row(one, call_all_ways(spark, shelf, one)) == documented_rows()[one.name]
