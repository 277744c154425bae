"""Whole jobs over images: files as they lie, a column of bytes, a column of paths."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from sparkscore import log_image_model, score
from sparkscore.errors import ConfigError, TooManyRejects
from tests.workloads.images.networks import COLOURS, PLAIN, write_colour_graph
from tests.workloads.images.pictures import make_bomb, plain_image
from tests.world import AS_OF, World, tracking

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings("ignore:.*input example:UserWarning")

BROKEN = {"empty.jpg": b"", "torn.jpg": None, "bomb.png": None, "text.png": b"no image"}
CODES = {
    "empty.jpg": "image_empty",
    "torn.jpg": "image_truncated",
    "bomb.png": "image_too_large",
    "text.png": "image_unreadable",
}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Thirty images of one colour each, and four broken ones."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(30):
        kind = ("PNG", "JPEG", "WEBP")[index % 3]
        (folder / f"{index:02}-{COLOURS[index % 3]}.{kind.lower()}").write_bytes(
            plain_image(COLOURS[index % 3], size=(40 + index, 50), kind=kind)
        )
    whole = plain_image("red", kind="JPEG", size=(200, 200))
    for name, content in {**BROKEN, "torn.jpg": whole[: len(whole) // 2], "bomb.png": make_bomb()}.items():
        (folder / name).write_bytes(content or b"")
    return folder


def log_model(world: World, folder: Path, **options: Any) -> None:
    """The model that `settings_of` names: one per home folder, in a registry that all tests share."""
    with tracking(world.registry.uri):
        graph = write_colour_graph(folder / "colours.onnx")
        log_image_model("colours", graph, registered_model_name=name_of(world), **PLAIN, labels=COLOURS, **options)


def name_of(world: World) -> str:
    return f"colours-{hashlib.sha256(str(world.home).encode()).hexdigest()[:12]}"


def settings_of(world: World, source: dict[str, Any], **groups: Any) -> Any:
    model = {"uri": f"models:/{name_of(world)}/1", **groups.pop("model", {})}
    scoring = {"repeat_rows": 0, "max_reject_ratio": 0.5, **groups.pop("scoring", {})}
    groups = {**groups, "scoring": scoring, "model": model, "output": {"threshold": None}}
    return world.settings(source={"passthrough": [], **source}, **groups)


def assert_colours(world: World, keys: str = "path") -> None:
    """Each whole image has the label of its name; each broken one is a reject with its code."""
    rows = world.table().select(keys, "prediction").collect()
    assert len(rows) == 30
    for path, label in rows:
        assert label == Path(path).stem.partition("-")[2], path
    found = {}
    for key, code, message in world.table("predictions_rejects").select("key", "code", "message").collect():
        found[Path(json.loads(key)[keys]).name] = code
        assert "no image" not in message or code == "image_unreadable"
    assert found == CODES


def test_files_are_landed_and_published_and_broken_ones_kept_aside(world: World, photos: Path) -> None:
    log_model(world, photos.parent)
    settings = settings_of(world, {"table": str(photos), "format": "binaryFile", "keys": ["path"]})
    report = score(world.spark, settings, as_of=AS_OF)
    assert (report.status, report.transport, report.rows_scored, report.rows_rejected) == ("published", "scan", 30, 4)
    assert_colours(world)


@pytest.mark.slow
def test_a_column_of_bytes_is_scored_on_every_transport_and_with_every_residency(world: World, photos: Path) -> None:
    log_model(world, photos.parent, output="top_k", top_k=2)
    rows = world.spark.read.format("binaryFile").load(str(photos))
    rows.select("path", F.col("content").alias("photo")).write.format("delta").save(world.path("photos"))
    seen = []
    for transport, residency in [("auto", "worker"), ("arrow", "executor"), ("pandas_udf", "worker")]:
        settings = settings_of(
            world,
            {"table": "photos", "keys": ["path"]},
            model={"inputs": {"content": "photo"}, "residency": residency},
            scoring={"transport": transport},
        )
        report = score(world.spark, settings, as_of=AS_OF, replace=True, restart=True)
        assert (report.rows_scored, report.rows_rejected) == (30, 3), transport
        found = world.table().orderBy("path").select("path", "prediction").collect()
        assert [one["prediction"][0]["label"] for one in found] == [Path(one["path"]).stem[3:] for one in found]
        seen.append([tuple((two["label"], round(two["probability"], 6)) for two in one["prediction"]) for one in found])
    assert seen[0] == seen[1] == seen[2]


class TestPathsInRows:
    """The files are read by the workers."""

    @pytest.fixture
    def settings(self, world: World, photos: Path) -> Any:
        log_model(world, photos.parent, source="path")
        paths = sorted(file.name for file in photos.iterdir())
        outside = [("../secret.png",), ("/etc/passwd",), ("s3a://bucket/a.png",), ("gone.png",), (None,)]
        rows = [(name,) for name in paths] + outside
        frame = world.spark.createDataFrame([(str(at), *row) for at, row in enumerate(rows)], "id string, path string")
        frame.write.format("delta").save(world.path("photos"))
        (photos.parent / "secret.png").write_bytes(plain_image("red"))
        return settings_of(
            world,
            {"table": "photos", "keys": ["id"], "passthrough": ["path"]},
            model={"files": str(photos)},
        )

    def test_below_one_folder_and_nowhere_else(self, world: World, settings: Any) -> None:
        report = score(world.spark, settings, as_of=AS_OF)
        assert (report.transport, report.rows_scored, report.rows_rejected) == ("scan", 30, 9)
        for row in world.table().select("path", "prediction").collect():
            assert row["prediction"] == Path(row["path"]).stem[3:]
        codes = Counter(row["code"] for row in world.table("predictions_rejects").select("code").collect())
        assert codes == {
            **dict.fromkeys(CODES.values(), 1),
            "path_outside_root": 3,
            "file_missing": 1,
            "image_missing": 1,
        }

    @pytest.mark.slow
    def test_without_the_folder_or_with_one_that_is_not_there_nothing_is_read(
        self, world: World, settings: Any, tmp_path: Path
    ) -> None:
        def with_files(files: str | None) -> Any:
            return settings.model_copy(update={"model": settings.model.model_copy(update={"files": files})})

        with pytest.raises(ConfigError, match=r"model\.files is not set") as unset:
            score(world.spark, with_files(None), as_of=AS_OF)
        with pytest.raises(ConfigError, match="is not there"):
            score(world.spark, with_files(str(tmp_path / "absent")), as_of=AS_OF)
        assert unset.value.exit_code == 2

    @pytest.mark.slow
    def test_more_rejects_than_allowed_publish_nothing(self, world: World, settings: Any) -> None:
        strict = settings.model_copy(update={"scoring": settings.scoring.model_copy(update={"max_reject_ratio": 0.1})})
        with pytest.raises(TooManyRejects) as refused:
            score(world.spark, strict, as_of=AS_OF)
        assert refused.value.exit_code == 3
        assert world.version() == -1


@pytest.mark.slow
def test_a_folder_that_no_model_reads_is_refused(world: World, photos: Path) -> None:
    log_model(world, photos.parent)
    source = {"table": str(photos), "format": "binaryFile", "keys": ["path"]}
    with pytest.raises(ConfigError, match="reads no files"):
        score(world.spark, settings_of(world, source, model={"files": str(photos)}), as_of=AS_OF)
