"""Ships a model by Spark's own file distribution. Runs on the driver."""

import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pyspark import SparkFiles
from pyspark.sql import SparkSession

from sparkscore.errors import TemporaryError, is_disk_full
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host.process_sharing import list_model_modules
from sparkscore.model.runtimes.runtime_selection import describe_runtime_file
from sparkscore.model.trust.mlmodel_file import read_mlmodel
from sparkscore.records import PinnedModel

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def ship_model(
    spark: SparkSession,
    model: PinnedModel,
    *,
    params: Mapping[str, Any],
    residency: Literal["worker", "executor"] = "worker",
    batch_timeout: float | None = None,
    repeat_rows: int = 0,
    sensitive: bool = False,
) -> ShippedModel:
    """The model as workers find it; added to the SparkContext once per digest.

    As a file, not as an archive, which Spark would unpack in each executor: `unpacked_model.py` does it once per node.

    Jobs:    none.
    Runs on: driver.
    Raises:  TemporaryError where Spark's own folder has no space for it.
    """
    name = f"sparkscore-{model.digest}.zip"
    context, mlmodel = spark.sparkContext, read_mlmodel(model.path, model.trust)
    listed = str(context._jsc.sc().listFiles().mkString("\n"))  # noqa: SLF001  `listFiles` takes four calls for each
    if f"/{name}\n" not in f"{listed}\n":
        context.addFile(_zip_for_spark(model, name).as_uri())
    return ShippedModel(
        digest=model.digest,
        archive=name,
        runtime=model.runtime,
        inputs=model.inputs,
        tensor=model.tensor,
        output=model.output,
        parts=model.parts,
        params=tuple((name, _freeze_param(params[name])) for name in sorted(params)),
        residency=residency,
        file=describe_runtime_file(model.runtime, mlmodel, model.path),
        batch_timeout=batch_timeout,
        repeat_rows=repeat_rows,
        sensitive=sensitive,
        code=list_model_modules(mlmodel, model.path),
        trust=model.trust,
    )


def _freeze_param(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _zip_for_spark(model: PinnedModel, name: str) -> Path:
    """The zip in a folder that Spark removes with the context: until then executors that start late ask for it."""
    folder = Path(SparkFiles.getRootDirectory(), "sparkscore-zips").absolute()
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        return zip_model_folder(Path(model.path), folder / name)
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise TemporaryError(
            f"no space left for the model's files at {folder}",
            "space in the folder of spark.local.dir",
            "free space, or set spark.local.dir to another disk, and run it again",
        ) from error


def zip_model_folder(folder: Path, target: Path) -> Path:
    """A zip of the folder; equal files give equal bytes. It appears all at once: no run sees a part."""
    with tempfile.TemporaryDirectory(dir=target.parent) as workplace:
        partial = Path(workplace, target.name)
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _ZIP_EPOCH)
                with path.open("rb") as content, archive.open(entry, "w", force_zip64=True) as packed:
                    shutil.copyfileobj(content, packed)
        partial.replace(target)
    return target
