"""Nobody but the suite says how a run ends: not what a model raises, nor the values of rows that it quotes."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import cloudpickle
import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkscore import score
from sparkscore.errors import (
    BatchTimeout,
    DigestMismatch,
    ModelError,
    ModelNotLoaded,
    PredictError,
    RowsNotPredicted,
    ScanUnsupported,
    SparkscoreError,
    TemporaryError,
)
from sparkscore.ingest.part_reader import PartReader, RangeBatch
from sparkscore.model.distribution.model_shipping import configure_shipped_model, ship_model
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.batch_timeout import limit_batch_time
from sparkscore.model.runtimes.model_loading import load_verified_scorer
from sparkscore.model.runtimes.scorer import build_local_scorer
from sparkscore.model.runtimes.thread_limits import THREAD_VARIABLES
from sparkscore.records import FileScan, ModelInput, PinnedModel, RunReport, SplitPosition
from sparkscore.schemas import REJECT_TYPE
from sparkscore.scoring import arrow_transport, pandas_udf_transport, scan_transport
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.kernel import Kernel
from sparkscore.scoring.stage_rows import StageRowScorer
from sparkscore.scoring.task_errors import recover_task_error
from sparkscore.spark.error_translation import to_sparkscore_error as translated_by_store
from sparkscore.spark.error_translation import translate_spark_errors
from tests.model.host.models import Tells, doubles, pinned, shipped
from tests.model.shelf import Answers, Shelf, columns, signature, tensor
from tests.world import AS_OF, World, source_rows

cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["_"]))  # executors cannot import tests

FORGED = "sparkscore-error: " + json.dumps({"class": "TemporaryError", "found": "forged", "expected": "", "do": ""})
WORDS = "No space left on device\nDELTA_CONCURRENT_APPEND\nSparkException: Python worker exited unexpectedly (crashed)"
ROWS = 20
"""More than a batch may have rejects."""
STAGE = pa.schema([("x", pa.float64()), ("prediction", pa.float64()), ("_reject", REJECT_TYPE)])
OURS = (TemporaryError("model's"), ScanUnsupported("model's"), DigestMismatch("model's"), BatchTimeout("model's"))


class OfTheModel(TemporaryError):
    """A class that a model makes of one of the suite's."""


def forging(frame: Any) -> Any:
    """All at once: a class of the suite's, a forged line, a value that is one, and words of Spark's and Delta's."""
    raise TemporaryError(f"{FORGED}\n{frame['t'].iloc[0]}\n{WORDS}")


def quoting(frame: Any) -> Any:
    """An error that quotes a row's value."""
    raise ValueError(f"what is that: {frame['carrier'].iloc[0]}\n{frame['carrier'].iloc[0]}\n{WORDS}")


def name_of(error: object) -> str:
    return type(error).__name__


def raising(error: BaseException) -> Callable[[Any], Any]:
    def answer(_: Any) -> Any:
        raise error

    return answer


@dataclass(frozen=True)
class Splits:
    """Reads one split of made-up rows."""

    def __call__(self, split: bytes) -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"x": np.arange(float(ROWS)), "t": pa.array([FORGED] * ROWS)})

    def read_part(self, split: bytes, first: SplitPosition, last: SplitPosition | None) -> PartReader:
        return PartReader(
            lambda *_: iter([RangeBatch(next(self(split)), ROWS, (ROWS, ROWS))]), [{"length": 1}], first, last
        )

    def range_lengths(self, split: bytes) -> tuple[int, ...]:
        return (1,)

    def describe(self, split: bytes) -> str:
        return "a split"

    def with_share(self, share: float) -> "Splits":
        return self


def frame_of(spark: SparkSession, transport: str, model: ShippedModel) -> DataFrame:
    """Rows that hold a forged line, scored by a transport."""
    counters = Counters(spark)
    rows = StageRowScorer(model, ("x", "t"), lambda _: None, STAGE, counters)
    if transport == "scan":
        return scan_transport.score_scan_frame(spark, FileScan((b"0",), Splits(), 1, 1, 1, "plan"), rows)
    source = spark.createDataFrame(next(Splits()(b"")).to_pylist()).select("x", "t").coalesce(1)
    if transport == "arrow":
        return arrow_transport.score_with_arrow(source, rows)
    return pandas_udf_transport.score_with_pandas_udf(source, model, columns=("x", "t"), counters=counters).drop("t")


Shelved = Callable[[Literal["worker", "executor"]], ShippedModel]


@pytest.fixture(scope="module")
def shelved(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Shelved:
    """A model that forges whatever it can when it predicts. Executors need neither MLflow nor scikit-learn for it."""
    folder = tmp_path_factory.mktemp("forging")
    model = placed(folder, Tells(forging, folder))
    return lambda residency: sent(spark, model, residency)


def sent(spark: SparkSession, model: PinnedModel, residency: Literal["worker", "executor"] = "worker") -> ShippedModel:
    return ship_model(spark, model, configure_shipped_model(model, params={}, residency=residency))


def placed(folder: Path, model: Tells) -> PinnedModel:
    inputs = (ModelInput("x", pa.float64(), True), ModelInput("t", pa.string(), True))
    return pinned(folder / "files", model, inputs=inputs, output=pa.float64())


def failure(act: Callable[[], object], model: ShippedModel) -> SparkscoreError:
    with pytest.raises(Exception, match=r".") as caught:
        act()
    assert not isinstance(caught.value, SparkscoreError)
    assert translated_by_store(caught.value, "x") is None
    error = recover_task_error(caught.value, model.secret)
    assert error is not None
    assert model.secret not in str(caught.value)
    return error


class TestThroughSpark:
    @pytest.mark.parametrize("residency", ["worker", "executor"])
    @pytest.mark.parametrize("transport", ["scan", "arrow", "pandas_udf"])
    def test_whatever_a_model_raises_is_the_models_failure(
        self,
        spark: SparkSession,
        shelved: Shelved,
        transport: str,
        residency: Literal["worker", "executor"],
        tmp_path: Path,
    ) -> None:
        model = shelved(residency)
        frame = frame_of(spark, transport, model)
        assert model.secret not in frame._jdf.queryExecution().toString()

        def act() -> None:
            with translate_spark_errors("writing"):  # which tries again what another writer has overtaken
                frame.toArrow() if transport == "scan" else frame.write.format("delta").save(str(tmp_path / "t"))

        error = failure(act, model)
        assert (type(error), error.exit_code, error.retryable) == (RowsNotPredicted, 4, False)
        assert error.found.startswith(f"the model raised TemporaryError: {FORGED}"[:300])

    @pytest.mark.parametrize("residency", ["worker", "executor"])
    def test_so_is_what_it_raises_when_it_is_loaded(
        self, spark: SparkSession, tmp_path: Path, residency: Literal["worker", "executor"]
    ) -> None:
        tells = Tells(forging, tmp_path, error=TemporaryError(f"{FORGED}\n{WORDS}"))
        model = sent(spark, placed(tmp_path, tells), residency)
        error = failure(frame_of(spark, "arrow", model).toArrow, model)
        assert type(error) is ModelNotLoaded
        assert error.found.startswith("the model could not be loaded on an executor: TemporaryError: ")

    def test_so_is_a_worker_that_it_ends_whatever_code_it_names(self, spark: SparkSession, tmp_path: Path) -> None:
        model = sent(spark, placed(tmp_path, Tells(lambda _: os._exit(75), tmp_path)))
        error = failure(frame_of(spark, "scan", model).toArrow, model)
        assert type(error) is PredictError
        assert error.found.startswith("a Python worker ended without an error message")

    def test_a_whole_run_ends_as_the_models_failure_and_nothing_says_try_again(
        self, world: World, shelf: Shelf, tmp_path: Path
    ) -> None:
        told = signature(columns(x1="double", x2="double", carrier="string"), tensor("float64"))
        uri = shelf.put("forging-run", Answers(quoting), told)
        rows = source_rows().set_column(1, "carrier", pa.array([FORGED] * 60))
        world.write_source(rows)
        settings = world.settings(model={"uri": uri, "tracking_uri": shelf.uri}, source={"passthrough": []})
        with pytest.raises(ModelError, match="the model raised ValueError") as caught:
            score(world.spark, settings, as_of=AS_OF)
        report = caught.value.report
        assert isinstance(report, RunReport)
        assert (report.status, report.exit_code, report.transport) == ("failed", 4, "scan")
        assert report.error is not None
        assert report.error.retryable is False
        assert world.events() == ["started", "failed"]
        assert world.version() == -1


class TestInOneProcess:
    MODEL = ShippedModel("0" * 64, "none", "sklearn", (ModelInput("x", pa.float64(), True),), True, pa.float64())
    COLUMN: ClassVar = [pa.array(np.arange(float(ROWS)))]

    def raised(self, answer: Callable[[Any], Any], *, sensitive: bool = False) -> SparkscoreError:
        kernel = Kernel(
            self.MODEL,
            load=lambda: build_local_scorer(replace(self.MODEL, sensitive=sensitive), answer),
            on_batch=lambda *_: None,
        )
        with pytest.raises(SparkscoreError) as caught:
            kernel(pa.record_batch(self.COLUMN, ["0"]))
        return caught.value

    @pytest.mark.parametrize("error", [*OURS, OfTheModel("model's"), PredictError("model's")], ids=name_of)
    def test_an_error_of_the_suites_that_a_model_raises_is_a_batch_that_it_did_not_predict(
        self, error: SparkscoreError
    ) -> None:
        found = self.raised(raising(error))
        assert type(found) is RowsNotPredicted
        assert (found.raised, found.exit_code) == (type(error).__name__, 4)

    @pytest.mark.parametrize("error", [SystemExit(75), SystemExit(0), KeyboardInterrupt()], ids=repr)
    def test_a_model_that_would_end_its_process_fails_without_another_try(self, error: BaseException) -> None:
        calls: list[int] = []

        def answer(features: Any) -> Any:
            calls.append(len(features))
            raise error

        found = self.raised(answer)
        assert (type(found), found.exit_code, calls) == (PredictError, 4, [ROWS])
        assert f"the model raised {type(error).__name__}" in found.found

    @pytest.mark.parametrize("error", [*OURS, ValueError(FORGED), SystemExit(75)], ids=name_of)
    def test_so_does_one_whose_result_raises_when_it_is_read(self, error: BaseException) -> None:
        class Lazy:
            def toarray(self) -> Any:
                raise error

        found = self.raised(lambda _: Lazy())
        assert type(found) is PredictError
        assert f"the model returned for a batch of {ROWS} rows raised {type(error).__name__}" in found.found

    def test_of_sensitive_data_only_the_class_is_told(self) -> None:
        found = self.raised(raising(TemporaryError("of Ada")), sensitive=True)
        assert "the model raised TemporaryError on a batch" in found.found
        assert "Ada" not in str(found) + str(found.__cause__)

    def test_in_the_thread_of_a_time_out_too(self) -> None:
        score = limit_batch_time(
            build_local_scorer(self.MODEL, raising(TimeoutError("model's"))), 60.0, cores=1, location="a test"
        )
        with pytest.raises(RowsNotPredicted):
            score(self.COLUMN)
        score = limit_batch_time(
            build_local_scorer(self.MODEL, raising(BatchTimeout("model's"))), 60.0, cores=1, location="a test"
        )
        with pytest.raises(RowsNotPredicted):
            score(self.COLUMN)

    @pytest.mark.parametrize("error", [*OURS, SystemExit(75), KeyboardInterrupt(), ImportError("x")], ids=name_of)
    def test_whatever_loading_raises_is_a_model_that_cannot_be_loaded(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Any
    ) -> None:
        for name in THREAD_VARIABLES:  # of this process, which is everybody's here
            monkeypatch.setenv(name, os.environ.get(name, "1"))
        tells = Tells(lambda frame: frame["x"], tmp_path, error=error)
        model = shipped(tmp_path / "files", tells, inputs=doubles("x"), output=pa.float64())
        kernel = Kernel(
            model,
            load=lambda: load_verified_scorer(model, str(tmp_path / "files"), cores=1, device=None),
            on_batch=lambda *_: None,
        )
        with pytest.raises(SparkscoreError) as caught:
            kernel(pa.record_batch(self.COLUMN, ["0"]))
        assert type(caught.value) is ModelNotLoaded
        assert f"the model could not be loaded on an executor: {type(error).__name__}" in caught.value.found
