"""Ships a model by Spark's own file distribution. Runs on the driver."""

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from weakref import WeakKeyDictionary

from pyspark.sql import SparkSession

from sparkscore.errors import TemporaryError, is_disk_full
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host.process_sharing import list_model_modules
from sparkscore.model.runtimes.runtime_selection import describe_runtime_file
from sparkscore.model.signature.declared_signature import declare_signature
from sparkscore.model.trust.mlmodel_file import is_own_loader, read_mlmodel, read_wanted_rows
from sparkscore.records import PinnedModel
from sparkscore.spark.session_kind import is_connect_session

ArchiveWriter = Callable[[Path], Path]
"""Writes a zip to a path, and returns it."""
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_SHIPPED: WeakKeyDictionary[SparkSession, set[str]] = WeakKeyDictionary()
"""What each session of Connect has been sent: its artifacts are its own."""


def ship_model(spark: SparkSession, model: PinnedModel, configured: ShippedModel) -> ShippedModel:
    """The model as workers find it; added to the SparkContext, or sent to the Connect session, once per digest.

    As a file, not as an archive, which Spark would unpack in each executor: `unpacked_model.py` does it once per node.

    `configured`: the same model, with nothing sent.

    Jobs:    none.
    Runs on: driver.
    Raises:  TemporaryError where Spark's own folder has no space for it.
    """
    executed = model.executed or model
    name = name_model_archive(executed)
    _send_archive(spark, name, lambda target: zip_model_folder(Path(executed.path), target))
    return replace(configured, archive=name)


def name_model_archive(executed: PinnedModel) -> str:
    """The name of the zip of a model's files."""
    return f"sparkscore-{executed.digest}.zip"


def configure_shipped_model(
    model: PinnedModel,
    *,
    params: Mapping[str, Any],
    residency: Literal["worker", "executor", "process"] = "worker",
    batch_timeout: float | None = None,
    repeat_rows: int = 0,
    sensitive: bool = False,
) -> ShippedModel:
    """The model as whoever executes it is to treat it. Nothing is sent: it has no archive yet.

    Runs on: driver.
    """
    return replace(
        describe_shipped_model(model, params=params),
        residency=residency,
        batch_timeout=batch_timeout,
        repeat_rows=repeat_rows,
        sensitive=sensitive,
    )


def ship_model_pack(spark: SparkSession, models: Sequence[PinnedModel], digest: str) -> str:
    """The name of one zip with the files of many models, each digest once; sent to the executors once per set.

    Thousands of files would be thousands of requests of each executor. Workers take one model at a time out of it.

    Needs:   `digest`: of all of them.
    Jobs:    none.
    Runs on: driver.
    Raises:  TemporaryError where Spark's own folder has no space for it.
    """
    name = f"sparkscore-{digest}.zip"
    folders = {model.digest: Path(model.path) for model in models}
    _send_archive(spark, name, lambda target: zip_folders(folders, target))
    return name


def describe_shipped_model(model: PinnedModel, *, params: Mapping[str, Any]) -> ShippedModel:
    """The model as whoever executes it knows it. Nothing is shipped: it has no archive yet.

    Runs on: driver.
    """
    model = model.executed or model
    mlmodel = declare_signature(model.described or read_mlmodel(model.path, model.trust), model.declared)
    code = list_model_modules(mlmodel, model.path)
    return ShippedModel(
        digest=model.digest,
        archive="",
        runtime=model.runtime,
        inputs=model.inputs,
        tensor=model.tensor,
        output=model.output,
        parts=model.parts,
        params=tuple((name, _freeze_param(params[name])) for name in sorted(params)),
        config=model.config,
        file=describe_runtime_file(model.runtime, mlmodel, model.path),
        code=code,
        is_own=not code and is_own_loader(mlmodel),
        trust=model.trust,
        wanted_rows=read_wanted_rows(mlmodel),
    )


def _send_archive(spark: SparkSession, name: str, write: ArchiveWriter) -> None:
    """Give the executors a zip, unless they have been given it."""
    if is_connect_session(spark):
        _send_artifact(spark, name, write)
    else:
        _add_archive_file(spark, name, write)


def _add_archive_file(spark: SparkSession, name: str, write: ArchiveWriter) -> None:
    context = spark.sparkContext
    listed = str(context._jsc.sc().listFiles().mkString("\n"))  # noqa: SLF001  `listFiles` takes four calls for each
    if f"/{name}\n" not in f"{listed}\n":
        context.addFile(_zip_for_spark(name, write).as_uri())


def _send_artifact(spark: SparkSession, name: str, write: ArchiveWriter) -> None:
    """The zip as an artifact of the session: workers find it where they find files of the context."""
    sent = _SHIPPED.setdefault(spark, set())
    if name in sent:
        return
    with tempfile.TemporaryDirectory(prefix="sparkscore-") as folder, _name_full_disk(folder, "TMPDIR"):
        spark.addArtifacts(str(write(Path(folder, name))), file=True)
    sent.add(name)


def _freeze_param(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _zip_for_spark(name: str, write: ArchiveWriter) -> Path:
    """The zip in a folder that Spark removes with the context: until then executors that start late ask for it."""
    from pyspark import SparkFiles  # here: pyspark-client has none

    folder = Path(SparkFiles.getRootDirectory(), "sparkscore-zips").absolute()
    with _name_full_disk(folder, "spark.local.dir"):
        folder.mkdir(mode=0o700, exist_ok=True)
        return write(folder / name)


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
    return zip_folders({"": folder}, target)


def zip_folders(folders: Mapping[str, Path], target: Path) -> Path:
    """The same of several folders, each below its name."""
    with tempfile.TemporaryDirectory(dir=target.parent) as workplace:
        partial = Path(workplace, target.name)
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(folders):
                _add_folder(archive, name, folders[name])
        partial.replace(target)
    return target


def _add_folder(archive: zipfile.ZipFile, name: str, folder: Path) -> None:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        entry = zipfile.ZipInfo((PurePosixPath(name) / path.relative_to(folder).as_posix()).as_posix(), _ZIP_EPOCH)
        with path.open("rb") as content, archive.open(entry, "w", force_zip64=True) as packed:
            shutil.copyfileobj(content, packed)
