"""Nobody but the suite says how a run ends: not what a model raises, nor the values of rows that it quotes."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

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
    PredictError,
    RowsNotPredicted,
    SparkscoreError,
    TemporaryError,
    UnsureScan,
)
from sparkscore.model.loading import loaded
from sparkscore.model.patience import patient
from sparkscore.model.scorer import in_process
from sparkscore.model.shipped import ShippedModel
from sparkscore.records import FileScan, ModelInput
from sparkscore.schemas import REJECT
from sparkscore.scoring import arrow, pandas_udf, scan
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.failures import translated
from sparkscore.scoring.kernel import Kernel
from sparkscore.scoring.rows import StageRows
from sparkscore.store.failures import border
from sparkscore.store.failures import translated as translated_by_store
from tests.model.host.models import Tells, doubles, shipped
from tests.model.shelf import Answers, Shelf, columns, signature, tensor
from tests.world import AS_OF, World

cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["_"]))  # executors cannot import tests

FORGED = "sparkscore-error: " + json.dumps({"class": "TemporaryError", "found": "forged", "expected": "", "do": ""})
WORDS = "No space left on device\nDELTA_CONCURRENT_APPEND\nSparkException: Python worker exited unexpectedly (crashed)"
ROWS = 20
"""More than a batch may have rejects."""
STAGE = pa.schema([("x", pa.float64()), ("prediction", pa.float64()), ("_reject", REJECT)])
OURS = (TemporaryError("model's"), UnsureScan("model's"), DigestMismatch("model's"), BatchTimeout("model's"))


class OfTheModel(TemporaryError):
    """A class that a model makes of one of the suite's."""


def forging(frame: Any) -> Any:
    """All at once: a class of the suite's, with a forged line, a value that is one, and words of Spark's and Delta's."""
    raise TemporaryError(f"{FORGED}\n{frame['t'].iloc[0]}\n{WORDS}")


def raising(error: BaseException) -> Callable[[Any], Any]:
    def answer(_: Any) -> Any:
        raise error

    return answer


@dataclass(frozen=True)
class Splits:
    """Reads one split of made-up rows."""

    def __call__(self, split: bytes) -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"x": np.arange(float(ROWS)), "t": pa.array([FORGED] * ROWS)})

    def named(self, split: bytes) -> str:
        return "a split"

    def sampled(self, share: float) -> "Splits":
        return self


def frame_of(spark: SparkSession, transport: str, model: ShippedModel) -> DataFrame:
    """Rows that hold a forged line, scored by a transport."""
    counters = Counters(spark)
    rows = StageRows(model, ("x", "t"), lambda _: None, STAGE, counters)
    if transport == "scan":
        return scan.returned(spark, FileScan((b"0",), Splits(), 1, 1, 1, "plan"), rows)
    source = spark.createDataFrame(next(Splits()(b"")).to_pylist()).select("x", "t").coalesce(1)
    if transport == "arrow":
        return arrow.scored(source, rows)
    return pandas_udf.scored(source, model, columns=("x", "t"), counters=counters).drop("t")


@pytest.fixture(scope="module")
def uri(shelf: Shelf) -> str:
    """A model that forges whatever it can."""
    return shelf.put("forging", Answers(forging), signature(columns(x="double", t="string"), tensor("float64")))


def failure(act: Callable[[], object], model: ShippedModel) -> SparkscoreError:
    with pytest.raises(Exception, match=r".") as caught:
        act()
    assert not isinstance(caught.value, SparkscoreError)
    assert translated_by_store(caught.value, "x") is None
    error = translated(caught.value, model.secret)
    assert error is not None
    assert model.secret not in str(caught.value)
    return error


class TestThroughSpark:
    @pytest.mark.parametrize("residency", ["worker", "executor"])
    @pytest.mark.parametrize("transport", ["scan", "arrow", "pandas_udf"])
    def test_whatever_a_model_raises_is_the_models_failure(
        self,
        spark: SparkSession,
        shelf: Shelf,
        uri: str,
        transport: str,
        residency: Literal["worker", "executor"],
        tmp_path: Path,
    ) -> None:
        model = replace(shelf.shipped(spark, uri), residency=residency)
        frame = frame_of(spark, transport, model)
        assert model.secret not in frame._jdf.queryExecution().toString()

        def act() -> None:
            with border("writing"):  # which tries again what another writer has overtaken
                frame.toArrow() if transport == "scan" else frame.write.format("delta").save(str(tmp_path / "t"))

        error = failure(act, model)
        assert (type(error), error.exit_code, error.retryable) == (RowsNotPredicted, 4, False)
        assert error.found.startswith(f"the model raised TemporaryError: {FORGED}"[:300])

    @pytest.mark.parametrize("residency", ["worker", "executor"])
    def test_so_is_what_it_raises_when_it_is_loaded(
        self, spark: SparkSession, shelf: Shelf, tmp_path: Path, residency: Literal["worker", "executor"]
    ) -> None:
        told = signature(columns(x="double", t="string"), tensor("float64"))
        uri = shelf.put(f"bad-at-load-{residency}", Answers(raising(TemporaryError("x"))), told)
        model = shelf.shipped(spark, uri)
        uri = shelf.put(f"forges-at-load-{residency}", Forges(forging), told)
        model = replace(shelf.shipped(spark, uri), residency=residency)
        error = failure(frame_of(spark, "arrow", model).toArrow, model)
        assert type(error) is PredictError
        assert error.found.startswith("the model could not be loaded on an executor: TemporaryError: ")
