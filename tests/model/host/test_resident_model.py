import os
import pickle
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
from sparkscore.model.distribution import unpacked_model as unpacking
from sparkscore.model.distribution.model_cache_limits import folder_bytes
from sparkscore.model.distribution.model_shipping import describe_shipped_model, ship_model, zip_model_folder
from sparkscore.model.distribution.shipped_model import ShippedModel, SklearnFile
from sparkscore.model.distribution.unpacked_model import unpack_model
from sparkscore.model.host import host_start, inherited_environment, process_sharing
from sparkscore.model.host import resident_model as room
from sparkscore.model.host.host_client import HostedModel
from sparkscore.model.host.resident_model import get_resident_scorer
from sparkscore.model.runtimes import model_loading
from sparkscore.model.runtimes.pyfunc_runtime import load_sklearn
from sparkscore.model.trust.model_digest import compute_model_digest
from tests.model.pipelines import FLIGHTS, pipeline
from tests.model.shelf import Returns, Shelf, columns, loads_in, signature, tensor

LINE = LinearRegression().fit(pd.DataFrame({"x": [0.0, 1.0]}), [0.0, 2.0])
SIGNED = signature(columns(x="double"), tensor("float64"))
ROW = [pa.array([3.0])]
SHARES = {"serialization_format": "skops"}
"""Such models may be in one process."""


@pytest.fixture(autouse=True)
def nobody_resident(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """These tests load models into this very process, which has `SparkFiles` as a worker has, on a node of its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("node")))
    monkeypatch.setattr(unpacking, "_use_descriptors", {})
    monkeypatch.setattr(room, "_resident_models", type(room._resident_models)())
    monkeypatch.setattr(process_sharing, "_tenants", [])
    monkeypatch.setattr(inherited_environment, "_remembered", [])
    monkeypatch.setattr(room, "limit_threads", lambda _: None)
    monkeypatch.setattr(model_loading, "limit_threads", lambda _: None)
    yield
    for one in room._resident_models.values():
        if isinstance(one.score, HostedModel):
            one.score.end_process()


def nothing() -> None:
    """Nobody counts."""


def copy_of(shipped: ShippedModel) -> Path:
    """The files on this node."""
    return Path(unpack_model(SparkFiles.get(shipped.archive), shipped.digest))


class TestShipping:
    def test_a_model_travels_once_per_digest(self, spark: SparkSession, shelf: Shelf) -> None:
        model = shelf.pinned(shelf.put("travels", LINE, SIGNED))
        described = describe_shipped_model(model, params={})
        assert ship_model(spark, model, described) == ship_model(spark, model, described)
        assert sum(model.digest in name for name in spark.sparkContext.listFiles) == 1

    def test_the_archive_lies_where_spark_removes_it_with_the_context(self, spark: SparkSession, shelf: Shelf) -> None:
        model = shelf.pinned(shelf.put("lies", LINE, SIGNED))
        ship_model(spark, model, describe_shipped_model(model, params={}))
        (shipped,) = [name for name in spark.sparkContext.listFiles if model.digest in name]
        file = Path(urlsplit(shipped).path)
        assert file.is_file()
        assert file.is_relative_to(SparkFiles.getRootDirectory())
        beside_copies = [one.name for one in Path(model.path).parent.iterdir() if not one.is_dir()]
        assert [name for name in beside_copies if not name.startswith("origin-")] == []

    def test_what_arrives_has_the_digest(self, spark: SparkSession, shelf: Shelf) -> None:
        shipped = shelf.shipped(spark, shelf.put("arrives", LINE, SIGNED))

        def here(_: Iterable[int]) -> Iterable[str]:
            yield compute_model_digest(unpack_model(SparkFiles.get(shipped.archive), shipped.digest))

        assert spark.sparkContext.parallelize([0], 1).mapPartitions(here).collect() == [shipped.digest]

    def test_the_archive_has_the_same_bytes_every_time(self, spark: SparkSession, shelf: Shelf, tmp_path: Path) -> None:
        model = shelf.pinned(shelf.put("same", LINE, SIGNED))
        shipped = ship_model(spark, model, describe_shipped_model(model, params={}))
        archive = Path(SparkFiles.get(shipped.archive))
        before = archive.read_bytes()
        assert zip_model_folder(Path(model.path), tmp_path / "again.zip").read_bytes() == before
        assert all(entry.date_time[0] == 1980 for entry in zipfile.ZipFile(archive).infolist())

    def test_workers_of_the_sklearn_runtime_need_not_read_the_mlmodel_file(
        self, spark: SparkSession, shelf: Shelf
    ) -> None:
        uri = shelf.put("plain", LINE, SIGNED)
        assert shelf.shipped(spark, uri).file == SklearnFile("model.pkl", "cloudpickle", None, "predict")
        assert shelf.shipped(spark, uri, runtime="pyfunc").file is None


class TestResidence:
    def test_a_model_is_loaded_once(self, spark: SparkSession, shelf: Shelf, tmp_path: Path) -> None:
        uri = shelf.put("once", Returns(lambda frame: frame["x"] * 2, tmp_path), SIGNED)
        shipped, loads = shelf.shipped(spark, uri), []
        for _ in range(3):
            assert get_resident_scorer(shipped, lambda: loads.append(1))(ROW).predictions.to_pylist() == [6.0]
        assert len(loads) == len(loads_in(tmp_path)) == 1

    def test_other_params_are_another_resident(self, spark: SparkSession, shelf: Shelf) -> None:
        signed = signature(columns(x="double"), tensor("float64"), n=2.0)
        uri = shelf.put("params", Returns(lambda frame, params: frame["x"] * params["n"]), signed)
        assert get_resident_scorer(shelf.shipped(spark, uri), nothing)(ROW).predictions.to_pylist() == [6.0]
        assert get_resident_scorer(shelf.shipped(spark, uri, n=3.0), nothing)(ROW).predictions.to_pylist() == [9.0]

    def test_params_that_are_equal_in_python_only_are_others(self, spark: SparkSession, shelf: Shelf) -> None:
        signed = signature(columns(x="double"), tensor("float64"), n=2.0)
        uri = shelf.put("alike", Returns(lambda frame, params: frame["x"] * params["n"]), signed)
        for n in (1, 1.0):
            get_resident_scorer(shelf.shipped(spark, uri, n=n), nothing)
        assert len(room._resident_models) == 2

    def test_the_one_not_used_longest_makes_room(
        self, spark: SparkSession, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = ("room-a", "room-b", "room-c")
        a, b, c = (shelf.shipped(spark, shelf.put(name, LINE, SIGNED, **SHARES)) for name in names)
        monkeypatch.setattr(room, "process_rss_bytes", lambda: 0)
        monkeypatch.setattr(room, "memory_budget", lambda cores: int(2.5 * folder_bytes(copy_of(a))))
        loads: list[str] = []
        for shipped in (a, b, a, c, a, b):
            get_resident_scorer(shipped, partial(loads.append, shipped.digest))
        assert loads == [a.digest, b.digest, c.digest, b.digest]
        assert set(unpacking._use_descriptors) == {a.digest, b.digest}

    def test_one_that_is_larger_than_the_budget_stays_alone(
        self, spark: SparkSession, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(room, "memory_budget", lambda cores: 1)
        for name in ("large-a", "large-b"):
            shipped = shelf.shipped(spark, shelf.put(name, LINE, SIGNED, **SHARES))
            assert get_resident_scorer(shipped, nothing) is get_resident_scorer(shipped, nothing)
            assert [one.digest for one in room._resident_models.values()] == [shipped.digest]

    def test_a_model_that_unfolds_in_memory_counts_with_what_it_takes_there(
        self, spark: SparkSession, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes = iter([10_000_000, 90_000_000])
        monkeypatch.setattr(room, "process_rss_bytes", lambda: next(sizes))
        get_resident_scorer(shelf.shipped(spark, shelf.put("unfolds", LINE, SIGNED)), nothing)
        assert [one.memory_bytes for one in room._resident_models.values()] == [80_000_000]

    @pytest.mark.parametrize("runtime", ["sklearn", "pyfunc"])
    def test_a_changed_file_is_replaced_before_anything_is_loaded(
        self, spark: SparkSession, shelf: Shelf, runtime: str
    ) -> None:
        shipped = shelf.shipped(spark, shelf.put(f"tampered-{runtime}", LINE, SIGNED), runtime=runtime)
        flip(copy_of(shipped) / "model.pkl")
        assert get_resident_scorer(shipped, nothing)(ROW).predictions.to_pylist() == pytest.approx([6.0])
        assert compute_model_digest(copy_of(shipped)) == shipped.digest

    def test_a_file_more_is_seen(self, spark: SparkSession, shelf: Shelf) -> None:
        shipped = shelf.shipped(spark, shelf.put("more", LINE, SIGNED))
        (copy_of(shipped) / "sitecustomize.py").touch()
        get_resident_scorer(shipped, nothing)
        assert not (copy_of(shipped) / "sitecustomize.py").exists()

    def test_where_the_archive_was_changed_too_nothing_is_loaded(self, spark: SparkSession, shelf: Shelf) -> None:
        shipped = shelf.shipped(spark, shelf.put("both", LINE, SIGNED))
        flip(copy_of(shipped) / "model.pkl")
        archive = Path(SparkFiles.get(shipped.archive))
        flip(archive)
        try:
            with pytest.raises(DigestMismatch, match="in the archive on this executor") as caught:
                get_resident_scorer(shipped, nothing)
        finally:
            flip(archive)  # Spark compares it, whatever the next job is
        assert shipped.digest[:12] in caught.value.expected
        assert not room._resident_models


class TestResidencyExecutor:
    def test_the_model_is_loaded_in_another_process(
        self, spark: SparkSession, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(host_start, "_host_processes", [])
        uri = shelf.put("hosted", Returns(lambda frame: frame["x"] * 2, tmp_path), SIGNED)
        shipped, loads = replace(shelf.shipped(spark, uri), residency="executor"), []
        flip(copy_of(shipped) / "MLmodel")  # the process is given the right files all the same
        try:
            for _ in range(3):
                assert get_resident_scorer(shipped, lambda: loads.append(1))(ROW).predictions.to_pylist() == [6.0]
            assert len(loads) == len(loads_in(tmp_path)) == 1
            assert loads_in(tmp_path) != [str(os.getpid())]
        finally:
            for process in host_start._host_processes:
                process.kill()
                process.wait()


class TestRuntimes:
    @pytest.mark.parametrize("form", ["skops", "cloudpickle", "pickle"])
    @pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
    def test_sklearn_itself_gives_what_mlflow_gives_bit_for_bit(self, shelf: Shelf, form: str, method: str) -> None:
        model, more = pipeline(), {"skops_trusted_types": ["numpy.dtype"]} if form == "skops" else {}
        outputs = tensor("float64" if method != "predict" else "int64", *(() if method == "predict" else (2,)))
        inputs = columns(carrier="string", hour="long", distance="double")
        uri = shelf.put(
            f"{form}-{method}", model, signature(inputs, outputs), method=method, serialization_format=form, **more
        )
        plain, mlflow = (shelf.placed(uri, runtime=runtime) for runtime in ("auto", "pyfunc"))
        assert (plain.model.runtime, mlflow.model.runtime) == ("sklearn", "pyfunc")
        flights = pa.RecordBatch.from_pandas(FLIGHTS, preserve_index=False).columns
        ours, theirs = (one.scorer()(flights).predictions for one in (plain, mlflow))
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
            assert get_resident_scorer(shipped, nothing)(ROW).predictions.to_pylist() == [6.0]
            assert compute_model_digest(copy_of(shipped)) == shipped.digest
        finally:
            sys.path = [entry for entry in sys.path if shipped.digest not in entry]
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
