"""Models of MLflow's flavour transformers: what MLflow gives, in batches, and rows that fail alone."""

import json
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from mlflow.models import ModelSignature
from pyspark.sql import SparkSession

from sparkscore import Settings, score
from sparkscore.errors import ModelError, PredictError, RowsNotPredicted, TrustRefused
from sparkscore.model.trust.mlmodel_file import read_mlmodel
from sparkscore.model.trust.model_trust import judge_model
from sparkscore.records import TrustPolicy
from tests import world
from tests.model.shelf import Shelf, columns, positions, signature
from tests.warm_daemon import MORE
from tests.world import UNWATCHED

for _name in ("torch", "transformers", "tokenizers"):
    pytest.importorskip(_name)
WORDS = ("<pad>", "<eos>", "<unk>", "a", "b", "c", "d", "e", "f")
TEXTS = ["a b", "c f d e a", "f"]
TOO_LONG = "a f " * 40
LABELS = columns(label="string", score="double")


@pytest.fixture(autouse=True)
def offline(own_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    del own_environment  # what loading a model sets is undone
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def make_tokenizer(**special: str) -> Any:
    library = import_module("tokenizers")
    words = library.models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>")
    made = library.Tokenizer(words)
    made.pre_tokenizer = library.pre_tokenizers.Whitespace()
    wrap = import_module("transformers").PreTrainedTokenizerFast
    return wrap(tokenizer_object=made, eos_token="<eos>", unk_token="<unk>", **special)


def make_generator() -> Any:
    """GPT-2 of some hundred random weights; its tokenizer has no token for padding, as that of GPT-2 has none."""
    library = import_module("transformers")
    import_module("torch").manual_seed(0)
    config = library.GPT2Config(
        vocab_size=len(WORDS), n_positions=32, n_embd=8, n_layer=1, n_head=2, bos_token_id=1, eos_token_id=1
    )
    model = library.GPT2LMHeadModel(config).eval()
    return library.pipeline("text-generation", model=model, tokenizer=make_tokenizer())


def make_classifier() -> Any:
    library = import_module("transformers")
    import_module("torch").manual_seed(0)
    config = library.BertConfig(
        vocab_size=len(WORDS), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        max_position_embeddings=16, pad_token_id=0,
    )  # fmt: skip
    model = library.BertForSequenceClassification(config).eval()
    return library.pipeline("text-classification", model=model, tokenizer=make_tokenizer(pad_token="<pad>"))


def put(shelf: Shelf, name: str, pipeline: Any, signed: ModelSignature, **more: Any) -> str:
    return shelf.logged(name, partial(mlflow.transformers.log_model, pipeline), signed, **more)


def put_generator(shelf: Shelf, *, config: dict[str, Any] | None = None, **params: Any) -> str:
    signed = signature(columns(text="string"), positions("string"), **{"max_new_tokens": 4, **params})
    return put(shelf, "gpt", make_generator(), signed, model_config=config)


def scored(shelf: Shelf, uri: str, texts: Sequence[str | None], **more: Any) -> list[Any]:
    """What the model says, without Spark."""
    predictions: list[Any] = shelf.placed(uri, **more).scorer()([pa.array(texts, pa.string())]).predictions.to_pylist()
    return predictions


def mlflows(shelf: Shelf, uri: str, texts: Sequence[str]) -> list[Any]:
    """What MLflow's own function says."""
    with world.tracking(shelf.uri):
        found = mlflow.pyfunc.load_model(uri).predict(pd.DataFrame({"text": texts}))
    return found.to_dict("records") if isinstance(found, pd.DataFrame) else list(found)


class TestGeneration:
    def test_gives_what_mlflow_gives(self, shelf: Shelf) -> None:
        uri = put_generator(shelf, do_sample=False)
        assert scored(shelf, uri, TEXTS) == mlflows(shelf, uri, TEXTS)

    def test_batches_need_no_padding_token_of_the_tokenizer_and_change_no_answer(self, shelf: Shelf) -> None:
        one_by_one = put_generator(shelf, do_sample=False)
        batched = put_generator(shelf, do_sample=False, config={"batch_size": 3})
        assert scored(shelf, batched, TEXTS) == scored(shelf, one_by_one, TEXTS)
        with pytest.raises(ValueError, match="pad_token"):
            mlflows(shelf, batched, TEXTS)

    def test_a_temperature_of_0_is_a_choice_without_chance(self, shelf: Shelf) -> None:
        greedy, cold = put_generator(shelf, do_sample=False), put_generator(shelf, temperature=0.0)
        assert scored(shelf, cold, TEXTS) == scored(shelf, greedy, TEXTS)
        logged = put_generator(shelf, config={"temperature": 0, "max_new_tokens": 4})
        assert scored(shelf, logged, TEXTS) == scored(shelf, greedy, TEXTS)

    def test_params_of_the_signature_reach_the_pipeline(self, shelf: Shelf) -> None:
        uri = put_generator(shelf, do_sample=False)
        (two,) = scored(shelf, uri, ["a b"], params={"max_new_tokens": 2})
        (four,) = scored(shelf, uri, ["a b"])
        assert four.startswith(two)
        assert len(two) < len(four)

    def test_several_answers_per_row_are_refused_as_mlflow_mixes_up_the_rows(self, shelf: Shelf) -> None:
        uri = put_generator(shelf, num_return_sequences=2, do_sample=True)
        with pytest.raises(PredictError, match="answers of other rows") as caught:
            scored(shelf, uri, TEXTS)
        assert type(caught.value) is PredictError, "no row is at fault"

    def test_a_prompt_that_does_not_fit_fails_alone(self, shelf: Shelf) -> None:
        uri = put_generator(shelf, do_sample=False)
        with pytest.raises(RowsNotPredicted):
            scored(shelf, uri, ["a b", TOO_LONG])
        assert len(scored(shelf, uri, ["a b"])) == 1


class TestClassification:
    def test_gives_what_mlflow_gives(self, shelf: Shelf) -> None:
        uri = put(shelf, "bert", make_classifier(), signature(columns(text="string"), LABELS))
        ours, theirs = scored(shelf, uri, TEXTS), mlflows(shelf, uri, TEXTS)
        assert [row["label"] for row in ours] == [row["label"] for row in theirs]
        assert [row["score"] for row in ours] == pytest.approx([row["score"] for row in theirs], abs=1e-7)

    def test_batches_of_any_size_give_the_same_within_single_precision(self, shelf: Shelf) -> None:
        signed = signature(columns(text="string"), LABELS)
        alone = put(shelf, "bert", make_classifier(), signed)
        batched = put(shelf, "bert", make_classifier(), signed, model_config={"batch_size": 3})
        expected = [row["score"] for row in scored(shelf, alone, TEXTS)]
        assert [row["score"] for row in scored(shelf, batched, TEXTS)] == pytest.approx(expected, abs=1e-6)


def test_a_gpu_that_a_task_has_and_pytorch_cannot_use_is_said(shelf: Shelf) -> None:
    if import_module("torch").cuda.is_available():
        pytest.skip("this machine has a GPU")
    uri = put_generator(shelf)
    with pytest.raises(ModelError, match=r"the GPU of the task \(address 0\) cannot be used"):
        shelf.placed(uri).scorer(device="0")


class TestTrust:
    @pytest.fixture
    def folder(self, shelf: Shelf, tmp_path: Path) -> Path:
        put_generator(shelf)
        return Path(shutil.copytree(shelf.files("gpt"), tmp_path / "model"))

    def judge(self, folder: Path, **policy: Any) -> tuple[str, ...]:
        trust = TrustPolicy(**policy)
        return judge_model(folder, trust, read_mlmodel(folder, trust))

    def test_weights_in_safetensors_are_data(self, folder: Path) -> None:
        formats = ("safetensors", "json", "text")
        assert self.judge(folder, code="refuse", pickle="refuse", downloads="refuse", formats=formats) == ()

    def test_pickled_weights_are_refused(self, folder: Path) -> None:
        torch = import_module("torch")
        torch.save({"weight": torch.zeros(2)}, folder / "model" / "pytorch_model.bin")
        with pytest.raises(TrustRefused, match=r"pytorch_model\.bin"):
            self.judge(folder, pickle="refuse")

    def test_code_of_its_own_is_refused(self, folder: Path) -> None:
        config = folder / "model" / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "auto_map": {"AutoModel": "own.Model"}}))
        with pytest.raises(TrustRefused, match="auto_map"):
            self.judge(folder, code="refuse")


@pytest.fixture
def workers_with_mlflow(spark: SparkSession) -> Iterator[None]:
    """MLflow's own function needs it in any worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(spark.sparkContext.environment, MORE, "mlflow.pyfunc")
        patch.setitem(spark.sparkContext.environment, "HF_HUB_OFFLINE", "1")
        yield


@pytest.mark.usefixtures("workers_with_mlflow")
@pytest.mark.parametrize("residency", ["worker", pytest.param("executor", marks=pytest.mark.slow)])
def test_a_job_publishes_what_is_generated_and_rejects_rows_that_fail_alone(
    spark: SparkSession, shelf: Shelf, tmp_path: Path, residency: str
) -> None:
    uri = put_generator(shelf, do_sample=False)
    rows = [*TEXTS, TOO_LONG, None, "b"]
    write_deltalake(str(tmp_path / "texts"), pa.table({"id": range(len(rows)), "text": pa.array(rows, pa.string())}))
    settings = Settings(
        job="generate",
        home=str(tmp_path),
        source={"table": str(tmp_path / "texts"), "keys": ["id"]},
        model={"uri": uri, "tracking_uri": shelf.uri, "residency": residency, "config": {"batch_size": 4}},
        output={"table": "answers"},
        **{**UNWATCHED, "scoring": {**UNWATCHED["scoring"], "max_reject_ratio": 0.5}},
    )
    report = score(spark, settings, as_of="2026-01-31")
    assert (report.rows_scored, report.rows_rejected) == (4, 2)
    published = DeltaTable(str(tmp_path / "tables" / "answers")).to_pyarrow_table().to_pylist()
    found = {row["id"]: row["prediction"] for row in published}
    assert found == dict(zip((0, 1, 2, 5), mlflows(shelf, uri, [*TEXTS, "b"]), strict=True))
