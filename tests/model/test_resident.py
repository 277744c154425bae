import pickle
import sys
import zipfile
from collections.abc import Iterable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from pyspark import SparkFiles
from pyspark.sql import SparkSession
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from skops.io.exceptions import UntrustedTypesFoundException

from sparkscore.errors import DigestMismatch, ModelError
from sparkscore.model import loading
from sparkscore.model import resident as room
from sparkscore.model.digest import digest_of
from sparkscore.model.resident import resident
from sparkscore.model.runtimes import SklearnFile, load_sklearn
from sparkscore.model.ship import _archive, ship
from sparkscore.model.shipped import ShippedModel
from tests.model.pipelines import FLIGHTS, pipeline
from tests.model.shelf import Returns, Shelf, columns, loads_in, signature, tensor

LINE = LinearRegression().fit(pd.DataFrame({"x": [0.0, 1.0]}), [0.0, 2.0])
SIGNED = signature(columns(x="double"), tensor("float64"))
ROW = [pa.array([3.0])]


@pytest.fixture(autouse=True)
def nobody_resident(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests load models into this very process, which has `SparkFiles` as a worker has."""
    monkeypatch.setattr(room, "_residents", type(room._residents)())
    monkeypatch.setattr(room, "limit_threads", lambda _: None)
    monkeypatch.setattr(loading, "limit_threads", lambda _: None)


def nothing() -> None:
    """Nobody counts."""


class TestShipping:
    def test_a_model_travels_once_per_digest(self, spark: SparkSession, shelf: Shelf) -> None:
        model = shelf.pinned(shelf.put("travels", LINE, SIGNED))
        assert ship(spark, model, params={}) == ship(spark, model, params={})
        assert sum(model.digest in name for name in spark.sparkContext.listArchives) == 1

    def test_what_arrives_has_the_digest(self, spark: SparkSession, shelf: Shelf) -> None:
        shipped = shelf.shipped(spark, shelf.put("arrives", LINE, SIGNED))

        def here(_: Iterable[int]) -> Iterable[str]:
            yield digest_of(SparkFiles.get(shipped.archive))

        assert spark.sparkContext.parallelize([0], 1).mapPartitions(here).collect() == [shipped.digest]

    def test_the_archive_has_the_same_bytes_every_time(self, spark: SparkSession, shelf: Shelf) -> None:
        model = shelf.pinned(shelf.put("same", LINE, SIGNED))
        archive = Path(model.path).with_suffix(".zip")
        ship(spark, model, params={})
        before = archive.read_bytes()
        archive.unlink()
        assert _archive(Path(model.path)).read_bytes() == before
        assert all(entry.date_time[0] == 1980 for entry in zipfile.ZipFile(archive).infolist())

    def test_workers_of_the_sklearn_runtime_need_not_read_the_mlmodel_file(
        self, spark: SparkSession, shelf: Shelf
    ) -> None:
        uri = shelf.put("plain", LINE, SIGNED)
        assert shelf.shipped(spark, uri).sklearn == SklearnFile("model.pkl", "cloudpickle", None, "predict")
        assert shelf.shipped(spark, uri, runtime="pyfunc").sklearn is None


class TestResidence:
    def test_a_model_is_loaded_once(self, spark: SparkSession, shelf: Shelf, tmp_path: Path) -> None:
        uri = shelf.put("once", Returns(lambda frame: frame["x"] * 2, tmp_path), SIGNED)
        shipped, loads = shelf.shipped(spark, uri), []
        for _ in range(3):
            assert resident(shipped, lambda: loads.append(1))(ROW).to_pylist() == [6.0]
        assert len(loads) == len(loads_in(tmp_path)) == 1

    def test_other_params_are_another_resident(self, spark: SparkSession, shelf: Shelf) -> None:
        signed = signature(columns(x="double"), tensor("float64"), n=2.0)
        uri = shelf.put("params", Returns(lambda frame, params: frame["x"] * params["n"]), signed)
        assert resident(shelf.shipped(spark, uri), nothing)(ROW).to_pylist() == [6.0]
        assert resident(shelf.shipped(spark, uri, n=3.0), nothing)(ROW).to_pylist() == [9.0]

    def test_the_one_not_used_longest_makes_room(
        self, spark: SparkSession, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(room, "_MOST", 2)
        a, b, c = (shelf.shipped(spark, shelf.put(name, LINE, SIGNED)) for name in ("room-a", "room-b", "room-c"))
        loads: list[str] = []
        for shipped in (a, b, a, c, a, b):
            resident(shipped, partial(loads.append, shipped.digest))
        assert loads == [a.digest, b.digest, c.digest, b.digest]

    @pytest.mark.parametrize("runtime", ["sklearn", "pyfunc"])
    def test_a_changed_file_is_seen_before_anything_is_loaded(
        self, spark: SparkSession, shelf: Shelf, tmp_path: Path, runtime: str
    ) -> None:
        shipped = shelf.shipped(spark, shelf.put(f"tampered-{runtime}", LINE, SIGNED), runtime=runtime)
        flip(Path(SparkFiles.get(shipped.archive)) / "model.pkl")
        with pytest.raises(DigestMismatch, match="have the digest") as caught:
            resident(shipped, nothing)
        assert shipped.digest[:12] in caught.value.expected
        assert not room._residents

    def test_a_file_more_is_seen(self, spark: SparkSession, shelf: Shelf) -> None:
        shipped = shelf.shipped(spark, shelf.put("more", LINE, SIGNED))
        (Path(SparkFiles.get(shipped.archive)) / "sitecustomize.py").touch()
        with pytest.raises(DigestMismatch):
            resident(shipped, nothing)


class TestRuntimes:
    @pytest.mark.parametrize("form", ["skops", "cloudpickle", "pickle"])
    @pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
    def test_sklearn_itself_gives_what_mlflow_gives_bit_for_bit(
        self, spark: SparkSession, shelf: Shelf, form: str, method: str
    ) -> None:
        model, more = pipeline(), {"skops_trusted_types": ["numpy.dtype"]} if form == "skops" else {}
        outputs = tensor("float64" if method != "predict" else "int64", *(() if method == "predict" else (2,)))
        inputs = columns(carrier="string", hour="long", distance="double")
        uri = shelf.put(
            f"{form}-{method}", model, signature(inputs, outputs), method=method, serialization_format=form, **more
        )
        plain, mlflow = (shelf.shipped(spark, uri, runtime=runtime) for runtime in ("auto", "pyfunc"))
        assert (plain.runtime, mlflow.runtime) == ("sklearn", "pyfunc")
        flights = pa.RecordBatch.from_pandas(FLIGHTS, preserve_index=False).columns
        ours, theirs = resident(plain, nothing)(flights), resident(mlflow, nothing)(flights)
        assert ours.equals(theirs)
        assert ours.to_pylist() == getattr(model, method)(FLIGHTS).tolist()

    def test_skops_loads_no_type_that_the_author_did_not_trust(self, tmp_path: Path) -> None:
        skops.io.dump(SimpleImputer().fit([[1.0], [np.nan]]), tmp_path / "model.skops")
        with pytest.raises(UntrustedTypesFoundException, match=r"numpy\.dtype"):
            load_sklearn(str(tmp_path), SklearnFile("model.skops", "skops", None, "transform"))
        trusted = SklearnFile("model.skops", "skops", ("numpy.dtype",), "transform")
        assert load_sklearn(str(tmp_path), trusted)(np.array([[np.nan]])).tolist() == [[1.0]]

    def test_loading_can_be_switched_off_as_in_mlflow(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        with pytest.raises(ModelError, match="MLFLOW_ALLOW_PICKLE_DESERIALIZATION is false"):
            load_sklearn(str(tmp_path), SklearnFile("model.pkl", "pickle", None, "predict"))

    def test_a_models_own_code_leaves_nothing_in_its_folder(
        self, spark: SparkSession, shelf: Shelf, tmp_path: Path
    ) -> None:
        (tmp_path / "own_code.py").write_text("def double(x):\n    return x * 2\n")

        def answer(frame: pd.DataFrame) -> Any:
            return import_module("own_code").double(frame["x"])

        uri = shelf.put("own-code", Returns(answer), SIGNED, code_paths=[str(tmp_path / "own_code.py")])
        shipped = shelf.shipped(spark, uri)
        try:
            assert resident(shipped, nothing)(ROW).to_pylist() == [6.0]
            assert digest_of(SparkFiles.get(shipped.archive)) == shipped.digest
        finally:
            sys.path = [entry for entry in sys.path if shipped.archive not in entry]
            sys.modules.pop("own_code", None)


def test_a_shipped_model_survives_pickling(spark: SparkSession, shelf: Shelf) -> None:
    shipped = shelf.shipped(spark, shelf.put("pickled", LINE, SIGNED))
    assert pickle.loads(pickle.dumps(shipped)) == shipped
    assert isinstance(shipped, ShippedModel)


def flip(file: Path) -> None:
    """One bit of the file's middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
