"""Language models by vLLM's offline engine: prompts in, answers and rejects out. vLLM itself is stood in for."""

import json
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from sparkscore import Settings, log_language_model, save_language_model, score, score_udf
from sparkscore.errors import BudgetReached, ConfigError, PredictError
from sparkscore.model.trust.mlmodel_file import read_mlmodel
from sparkscore.model.trust.model_trust import judge_model
from sparkscore.records import ScoredRows, TrustPolicy
from sparkscore.scoring import frame_writer, task_sizing
from sparkscore.workloads.engines.engine_model import EngineModel, load_engine_model
from tests import world
from tests.model.shelf import Shelf
from tests.workloads.engines.stand_in import install_stand_in
from tests.world import UNWATCHED

PROMPT = "Say {text} of {size}"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf")


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """`import vllm` finds the stand-in, here and in the executors' processes."""
    if find_spec("vllm") is not None:
        pytest.skip("vLLM itself is installed")
    folder = install_stand_in(tmp_path / "packages")
    monkeypatch.syspath_prepend(str(folder))
    for name in ("VLLM_ENABLE_V1_MULTIPROCESSING", "VLLM_NO_USAGE_STATS", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    yield folder
    for name in [one for one in sys.modules if one.partition(".")[0] == "vllm"]:
        del sys.modules[name]


def write_weights(folder: Path, **config: Any) -> Path:
    """A folder as transformers would save it; the stand-in reads its configuration alone."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "stand-in", **config}))
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 4)
    (folder / "pytorch_model.bin").write_bytes(b"a pickle, which nobody needs")
    return folder


def make_model(tmp_path: Path, **options: Any) -> EngineModel:
    weights = write_weights(tmp_path / "weights")
    save_language_model(tmp_path / "model", weights, **{"prompt": PROMPT, **options})
    return load_engine_model(str(tmp_path / "model" / "data" / "language_model"))


def ask(model: EngineModel, texts: list[Any]) -> ScoredRows:
    return model.predict(pd.DataFrame({"text": texts, "size": range(len(texts))}))


def answers(found: ScoredRows) -> list[Any]:
    return [row and row["answer"] for row in found.predictions]


@pytest.mark.usefixtures("stand_in")
class TestAnswers:
    def test_all_rows_of_a_batch_are_asked_at_once_and_each_gets_its_own(self, tmp_path: Path) -> None:
        found = ask(make_model(tmp_path, system="You are {text}."), ["one", "two"])
        assert answers(found) == ["re: Say one of 0", "re: Say two of 1"]
        assert found.predictions[0] == {
            "answer": "re: Say one of 0",
            "finish_reason": "stop",
            "prompt_tokens": 11,
            "completion_tokens": 5,
        }
        assert found.counts == {"requests": 2, "prompt_tokens": 22, "completion_tokens": 10}

    def test_a_class_is_one_of_the_classes_whatever_the_model_would_say(self, tmp_path: Path) -> None:
        model = make_model(tmp_path, output={"type": "class", "classes": ["good", "bad", "other"]})
        assert answers(ask(model, ["so bad", "so good", "so"])) == ["bad", "good", "other"]

    def test_json_meets_the_schema(self, tmp_path: Path) -> None:
        schema = {"type": "object", "properties": {"words": {"type": "integer"}}, "required": ["words"]}
        model = make_model(tmp_path, output={"type": "json", "json_schema": schema})
        assert answers(ask(model, ["a b"])) == [{"words": 8}]

    def test_braces_in_the_data_stay_braces(self, tmp_path: Path) -> None:
        assert answers(ask(make_model(tmp_path), ["{size}"])) == ["re: Say {size} of 0"]

    def test_route_completion_asks_without_a_chat_template(self, tmp_path: Path) -> None:
        found = ask(make_model(tmp_path, route="completion", system="Do."), ["a"])
        assert found.predictions[0]["answer"] == "re: Do. Say a of 0"


@pytest.mark.usefixtures("stand_in")
class TestRejects:
    def test_a_row_without_an_answer_is_a_reject_and_the_others_are_answered(self, tmp_path: Path) -> None:
        model = make_model(tmp_path, engine={"max_model_len": 40})
        found = ask(model, ["a", None, "b " * 60, "give-up", "c"])
        assert answers(found) == ["re: Say a of 0", None, None, None, "re: Say c of 4"]
        codes = {place: row.code for place, row in found.rejects.items()}
        assert codes == {1: "null_input", 2: "prompt_too_long", 3: "engine_error"}

    def test_an_engine_that_fails_rejects_no_row_and_ends_the_run(self, tmp_path: Path) -> None:
        with pytest.raises(PredictError, match="vLLM failed on a batch of 2 prompts: RuntimeError") as caught:
            ask(make_model(tmp_path), ["a", "kill-engine"])
        assert type(caught.value) is PredictError

    def test_an_answer_that_is_cut_off_is_a_reject_unless_it_is_kept(self, tmp_path: Path) -> None:
        found = ask(make_model(tmp_path, max_tokens=2), ["a"])
        assert found.rejects[0].code == "length_exceeded"
        assert found.counts["completion_tokens"] == 2
        (tmp_path / "kept").mkdir()
        kept = make_model(tmp_path / "kept", max_tokens=2, cut_answers="keep")
        assert answers(ask(kept, ["a"])) == ["re: Say"]

    def test_a_batch_without_a_prompt_asks_nothing(self, tmp_path: Path) -> None:
        found = ask(make_model(tmp_path), [None])
        assert (found.predictions, found.counts["requests"]) == ([None], 0)


class TestWhatIsSaved:
    @pytest.mark.parametrize(
        ("options", "found"),
        [
            ({"prompt": "Say {text"}, "a single {"),
            ({"prompt": "Say it"}, "names no column"),
            ({"engine": {"trust_remote_code": True}}, "trust_remote_code"),
            ({"engine": {"load_format": "pt"}}, "load_format"),
            ({"engine": {"max_model_len": "many"}}, "max_model_len"),
            ({"parameters": {"temperature": 2}}, "temperature"),
            ({"output": {"type": "class"}}, "needs classes"),
            ({"route": "embedding"}, "route"),
            ({"max_tokens": 0}, "max_tokens"),
        ],
    )
    def test_what_does_not_fit_is_refused_when_it_is_saved(
        self, tmp_path: Path, options: dict[str, Any], found: str
    ) -> None:
        weights = write_weights(tmp_path / "weights")
        with pytest.raises(ConfigError, match=found):
            save_language_model(tmp_path / "model", weights, **{"prompt": PROMPT, **options})

    def test_a_folder_without_safetensors_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="no weights in safetensors"):
            save_language_model(tmp_path / "model", tmp_path, prompt=PROMPT)

    def test_its_files_are_data_alone(self, tmp_path: Path) -> None:
        save_language_model(tmp_path / "model", write_weights(tmp_path / "weights"), prompt=PROMPT)
        trust = TrustPolicy(code="refuse", pickle="refuse", downloads="refuse", formats=("safetensors", "json", "text"))
        assert judge_model(tmp_path / "model", trust, read_mlmodel(tmp_path / "model", trust)) == ()

    @pytest.mark.usefixtures("stand_in")
    def test_options_that_somebody_writes_into_its_files_are_refused_before_an_engine_starts(
        self, tmp_path: Path
    ) -> None:
        make_model(tmp_path)
        (tmp_path / "model" / "data" / "language_model" / "engine.json").write_text('{"worker_cls": "os.system"}')
        with pytest.raises(ConfigError, match="worker_cls"):
            load_engine_model(str(tmp_path / "model" / "data" / "language_model"))

    @pytest.mark.usefixtures("stand_in")
    def test_weights_without_a_chat_template_are_not_chatted_with(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STAND_IN_TEMPLATE", "")
        with pytest.raises(ConfigError, match="no chat template"):
            make_model(tmp_path)

    @pytest.mark.usefixtures("stand_in")
    def test_parameters_that_vllm_does_not_take_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="warmth"):
            make_model(tmp_path, parameters={"warmth": 1})


def test_without_vllm_the_error_names_the_extra(tmp_path: Path) -> None:
    if find_spec("vllm") is not None:
        pytest.skip("vLLM is installed")
    with pytest.raises(ConfigError, match="vllm is not installed") as caught:
        make_model(tmp_path)
    assert "sparkscore[vllm]" in caught.value.do


def register(shelf: Shelf, tmp_path: Path, **options: Any) -> str:
    loads = tmp_path / "loads"
    loads.mkdir()
    shelf.folder.mkdir()
    weights = write_weights(tmp_path / "weights", loads=str(loads))
    with world.tracking(shelf.uri):
        if mlflow.get_experiment_by_name("tests") is None:
            mlflow.create_experiment("tests", artifact_location=(shelf.folder / "artifacts").as_uri())
        mlflow.set_experiment("tests")
        made = log_language_model(
            "model", weights, registered_model_name="engine", **{"prompt": PROMPT, "batch_rows": 64, **options}
        )
    return f"models:/engine/{made.registered_model_version}"


def job(shelf: Shelf, tmp_path: Path, uri: str, **groups: Any) -> Settings:
    values: dict[str, Any] = {
        "job": "answer",
        "home": str(tmp_path),
        "source": {"table": str(tmp_path / "texts"), "keys": ["id"]},
        "model": {"uri": uri, "tracking_uri": shelf.uri, "residency": "executor"},
        "output": {"table": "answers"},
        **UNWATCHED,
    }
    for name, group in groups.items():
        values[name] = {**values[name], **group}
    return Settings(**values)


def write_texts(tmp_path: Path, rows: int) -> None:
    frame = pd.DataFrame({"id": range(rows), "text": [f"row {n}" for n in range(rows)], "size": range(rows)})
    for half in (frame[: rows // 2], frame[rows // 2 :]):
        write_deltalake(str(tmp_path / "texts"), half, mode="append")


class TestJobs:
    @pytest.fixture
    def shared(self, spark: SparkSession, stand_in: Path) -> Iterator[None]:
        """The import path of the workers, which model processes inherit."""
        with pytest.MonkeyPatch.context() as patch:
            known = spark.sparkContext.environment.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
            patch.setitem(spark.sparkContext.environment, "PYTHONPATH", os.pathsep.join([str(stand_in), known]))
            yield

    @pytest.mark.usefixtures("shared")
    def test_one_engine_of_the_executor_answers_the_rows_of_all_its_tasks(
        self, spark: SparkSession, shelf: Shelf, tmp_path: Path
    ) -> None:
        uri = register(shelf, tmp_path)
        write_texts(tmp_path, 200)
        report = score(spark, job(shelf, tmp_path, uri), as_of="2026-01-31")
        rows = DeltaTable(str(tmp_path / "tables" / "answers")).to_pyarrow_table().to_pylist()
        found = {row["id"]: row["prediction"]["answer"] for row in rows}
        assert found == {n: f"re: Say row {n} of {n}" for n in range(200)}
        loads = [file.name for file in (tmp_path / "loads").iterdir() if file.name != "calls"]
        assert len(loads) == 1
        assert max(map(int, (tmp_path / "loads" / "calls").read_text().split())) >= 64
        assert report.model_counts["prompt_tokens"] == 200 * 8

    @pytest.mark.slow
    @pytest.mark.usefixtures("shared")
    def test_a_budget_of_tokens_stops_at_a_chunk_and_the_next_attempt_goes_on(
        self, spark: SparkSession, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module, name in ((frame_writer, "LONGEST_TASK_S"), (task_sizing, "TASK_S")):
            monkeypatch.setattr(module, name, 1e-9)  # each task keeps one batch, as that of a slow model does
        uri = register(shelf, tmp_path, batch_rows=10)
        write_texts(tmp_path, 200)
        settings = job(shelf, tmp_path, uri, scoring={"budgets": {"completion_tokens": 500}, "batch_rows": 25})
        with pytest.raises(BudgetReached) as stopped:
            score(spark, settings, as_of="2026-01-31")
        assert stopped.value.exit_code == 75
        report = score(spark, job(shelf, tmp_path, uri, scoring={"batch_rows": 25}), as_of="2026-01-31")
        assert report.status == "published"
        assert report.model_counts["completion_tokens"] < 200 * 6

    def test_an_engine_in_each_worker_is_refused_before_a_row_is_read(
        self, spark: SparkSession, shelf: Shelf, tmp_path: Path
    ) -> None:
        uri = register(shelf, tmp_path)
        write_texts(tmp_path, 2)
        with pytest.raises(ConfigError, match=r"model\.residency is worker"):
            score(spark, job(shelf, tmp_path, uri, model={"residency": "worker"}), as_of="2026-01-31")
        with pytest.raises(ConfigError, match="one per executor"):
            score_udf(spark, uri, tracking_uri=shelf.uri)

    def test_a_machine_without_vllm_is_said_before_a_row_is_read(
        self, spark: SparkSession, shelf: Shelf, tmp_path: Path
    ) -> None:
        if find_spec("vllm") is not None:
            pytest.skip("vLLM is installed")
        uri = register(shelf, tmp_path)
        write_texts(tmp_path, 2)
        with pytest.raises(ConfigError, match="vllm is not installed") as caught:
            score(spark, job(shelf, tmp_path, uri), as_of="2026-01-31")
        assert "sparkscore[vllm]" in caught.value.do
