"""One way of labelling a folder of photographs, in a process of its own: for each line that comes in, one turn.

python -m bench.image_ways WAY PHOTOS GRAPH WORK        answers each turn with a line of JSON: seconds, and labels
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.image_data import Labeller, prepare_pixels, prepare_plainly

Turn = Callable[[int], dict[str, Any]]
"""The number of the turn -> further facts of it; the labels lie in `WORK/labels-<turn>` afterwards."""
CORES = 2


def open_ours(photos: Path, graph: Path, work: Path) -> Turn:
    """A job over a table of paths, whole: its files are read by the workers. `graph` beside the saved model."""
    import mlflow

    from sparkscore import log_image_model, score
    from sparkscore.settings import Settings
    from sparkscore.spark.session import start_local_session

    uri = f"sqlite:///{work}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    log_image_model(
        "lite0",
        graph,
        registered_model_name="lite0",
        size=224,
        resize_to=256,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        source="path",
        shrink_on_load=sys.argv[1] == "ours_shrunk",
    )
    spark = start_local_session("images", master=f"local[{CORES}]")
    rows = [(file.name,) for file in sorted(photos.iterdir())]
    spark.createDataFrame(rows, "path string").repartition(4 * CORES).write.format("delta").save(f"{work}/photos")
    quiet: dict[str, Any] = {"profile": {"rows": "none"}, "monitor": {"report": False, "mlflow": False}}

    def turn(number: int) -> dict[str, Any]:
        settings = Settings(
            job="images",
            home=str(work / "home"),
            source={"table": f"{work}/photos", "keys": ["path"]},
            model={"uri": "models:/lite0/1", "tracking_uri": uri, "files": str(photos)},
            output={"table": f"{work}/predictions"},
            scoring={"repeat_rows": 0},
            **quiet,
        )
        report = score(spark, settings, as_of=f"2020-01-{number + 1:02}")
        found = spark.read.format("delta").load(f"{work}/predictions").where(f"run_id = '{report.run_id}'")
        labels = {one["path"]: one["prediction"] for one in found.select("path", "prediction").collect()}
        return {"parts": dict(report.seconds), "counts": dict(report.model_counts), "labels": labels}

    return turn


def open_floats(photos: Path, graph: Path, work: Path) -> Turn:
    """As it is published: binaryFile, a UDF that decodes into lists of floats, a pandas UDF that predicts."""
    from pyspark.sql import functions as F

    from sparkscore.spark.session import start_local_session

    spark = start_local_session("floats", master=f"local[{CORES}]")
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "64")  # else 6 GB of floats a batch
    decode = F.udf(lambda content: prepare_plainly(bytes(content)).ravel().tolist(), "array<float>")

    def predict_batches(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        labeller = Labeller(str(graph))
        for batch in batches:
            images = np.stack(batch.to_numpy()).astype(np.float32).reshape(-1, 3, 224, 224)
            yield pd.Series(labeller.label(images))

    predict = F.pandas_udf(predict_batches, "string")  # type: ignore[call-overload]

    def turn(number: int) -> dict[str, Any]:
        frame = spark.read.format("binaryFile").load(str(photos)).repartition(4 * CORES)
        labelled = frame.select("path", decode("content").alias("image")).select(
            "path", predict("image").alias("label")
        )
        labelled.write.parquet(f"{work}/labels-{number}")
        return {}

    return turn


def open_ray(photos: Path, graph: Path, work: Path) -> Turn:
    """As it is published: files read, decoded by a map, predicted by a class; Ray runs both in the same process."""
    import ray

    # one core more than there is: where all are taken by classes that wait for files, nobody reads any
    ray.init(num_cpus=CORES + 1, include_dashboard=False, log_to_driver=False, _temp_dir=f"/tmp/ray-{work.name}")  # noqa: S108
    ray.data.DataContext.get_current().enable_progress_bars = False

    class Predictor:
        def __init__(self) -> None:
            self.labeller = Labeller(str(graph))

        def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
            return {"path": batch["path"], "label": np.array(self.labeller.label(np.stack(batch["image"])))}

    def decode(row: dict[str, Any]) -> dict[str, Any]:
        return {"path": row["path"], "image": prepare_plainly(row["bytes"])}

    def turn(number: int) -> dict[str, Any]:
        files = ray.data.read_binary_files(str(photos), include_paths=True)
        labelled = files.map(decode).map_batches(Predictor, batch_size=16, concurrency=CORES, num_cpus=1)
        labelled.write_parquet(f"{work}/labels-{number}")
        return {}

    return turn


def open_daft(photos: Path, graph: Path, work: Path) -> Turn:
    """As it is published: files downloaded and decoded by Daft, predicted by a class."""
    import daft
    from PIL import Image

    @daft.udf(return_dtype=daft.DataType.string(), batch_size=16, concurrency=CORES)
    class Predictor:
        def __init__(self) -> None:
            self.labeller = Labeller(str(graph))

        def __call__(self, images: Any) -> list[str]:
            return self.labeller.label(np.stack([prepare_pixels(Image.fromarray(one)) for one in images.to_pylist()]))

    def turn(number: int) -> dict[str, Any]:
        files = daft.from_glob_path(f"{photos}/*.jpg")
        images = files.with_column("image", files["path"].download().decode_image(mode="RGB"))
        images.select(images["path"], Predictor(images["image"]).alias("label")).write_parquet(
            f"{work}/labels-{number}"
        )
        return {}

    return turn


WAYS: dict[str, Callable[[Path, Path, Path], Turn]] = {
    "ours": open_ours,
    "ours_shrunk": open_ours,
    "floats": open_floats,
    "ray": open_ray,
    "daft": open_daft,
}


def read_labels(folder: Path) -> dict[str, str]:
    """What a turn has written: file -> label."""
    import pyarrow.parquet as pq

    tables = [pq.read_table(file) for file in folder.rglob("*.parquet")]
    return {
        Path(path).name: label
        for one in tables
        for path, label in zip(*map(pa_list, (one["path"], one["label"])), strict=True)
    }


def pa_list(column: Any) -> list[Any]:
    """The values of a column."""
    found: list[Any] = column.to_pylist()
    return found


def main(way: str, photos: str, graph: str, work: str) -> None:
    """Turns, until the input ends."""
    turn, out = WAYS[way](Path(photos), Path(graph), Path(work)), sys.__stdout__
    for number, _ in enumerate(sys.stdin):
        started = time.monotonic()
        facts = turn(number)
        seconds = time.monotonic() - started
        labels = facts.pop("labels", None) or read_labels(Path(work, f"labels-{number}"))
        print(json.dumps({"seconds": seconds, **facts, "labels": labels}), file=out, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:5])
