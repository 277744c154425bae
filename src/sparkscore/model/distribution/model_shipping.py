"""Ships a model by Spark's own file distribution. Runs on the driver."""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

from pyspark.sql import SparkSession

from sparkscore.errors import TemporaryError, is_disk_full
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host.process_sharing import list_model_modules
from sparkscore.model.runtimes.runtime_selection import describe_runtime_file
from sparkscore.model.trust.mlmodel_file import read_mlmodel
from sparkscore.records import PinnedModel
from sparkscore.spark.session_kind import is_connect_session

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_SHIPPED: WeakKeyDictionary[SparkSession, set[str]] = WeakKeyDictionary()
"""What each session of Connect has been sent: its artifacts are its own."""


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
    """The model as workers find it; added to the SparkContext, or sent to the Connect session, once per digest.

    As a file, not as an archive, which Spark would unpack in each executor: `unpacked_model.py` does it once per node.

    Jobs:    none.
    Runs on: driver.
    Raises:  TemporaryError where Spark's own folder has no space for it.
    """
    name = f"sparkscore-{model.digest}.zip"
    mlmodel = read_mlmodel(model.path, model.trust)
    if is_connect_session(spark):
        _send_model(spark, model, name)
    else:
        _add_model_file(spark, model, name)
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


def _add_model_file(spark: SparkSession, model: PinnedModel, name: str) -> None:
    context = spark.sparkContext
    listed = str(context._jsc.sc().listFiles().mkString("\n"))  # noqa: SLF001  `listFiles` takes four calls for each
    if f"/{name}\n" not in f"{listed}\n":
        context.addFile(_zip_for_spark(model, name).as_uri())


def _send_model(spark: SparkSession, model: PinnedModel, name: str) -> None:
    """The zip as an artifact of the session: workers find it where they find files of the context."""
    sent = _SHIPPED.setdefault(spark, set())
    if name in sent:
        return
    with tempfile.TemporaryDirectory(prefix="sparkscore-") as folder, _name_full_disk(folder, "TMPDIR"):
        spark.addArtifacts(str(zip_model_folder(Path(model.path), Path(folder, name))), file=True)
    sent.add(name)


def _freeze_param(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _zip_for_spark(model: PinnedModel, name: str) -> Path:
    """The zip in a folder that Spark removes with the context: until then executors that start late ask for it."""
    from pyspark import SparkFiles  # here: pyspark-client has none

    folder = Path(SparkFiles.getRootDirectory(), "sparkscore-zips").absolute()
    with _name_full_disk(folder, "spark.local.dir"):
        folder.mkdir(mode=0o700, exist_ok=True)
        return zip_model_folder(Path(model.path), folder / name)


@contextmanager
def _name_full_disk(folder: Path | str, setting: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise TemporaryError(
            f"no space left for the model's files at {folder}",
            f"space in the folder of {setting}",
            f"free space, or set {setting} to another disk, and run it again",
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
