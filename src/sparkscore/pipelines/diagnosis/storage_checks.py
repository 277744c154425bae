"""Checks of folders: that a run may list, write, read and remove there. What they write is gone afterwards."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from uuid import uuid4

from pyarrow import fs

from sparkscore.errors import ScanUnsupported, SparkscoreError
from sparkscore.pipelines.diagnosis.clock_checks import judge_clock, measure_skew
from sparkscore.pipelines.diagnosis.failure_lines import choose_failure_line
from sparkscore.records import TableRef
from sparkscore.records.diagnosis_records import EnvironmentCheck
from sparkscore.redaction.secret_patterns import redact_secrets

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PROBE = "_sparkscore_doctor_"
_CONTENT = b"sparkscore doctor writes this, and removes it again\n"


def check_folder(spark: "SparkSession | None", name: str, folder: str) -> list[EnvironmentCheck]:
    """Whether a run may work in a folder, and what its store says of the time.

    Jobs:    none.
    Runs on: driver.
    """
    shown = redact_secrets(folder)
    try:
        with probe_folder(spark, folder) as probe:
            return [
                EnvironmentCheck(name, "ok", f"{shown}: listed, written, read and removed"),
                judge_clock(f"clock of {name}", probe.ahead_s),
            ]
    except ScanUnsupported as error:
        return [_check_by_spark(spark, name, folder, why=error.found)]
    except (OSError, SparkscoreError, ValueError) as error:
        return [_denied(name, shown, error)]


def _check_by_spark(spark: "SparkSession | None", name: str, folder: str, *, why: str) -> EnvironmentCheck:
    """Through Hadoop's client, where nobody but Spark reaches the folder."""
    from sparkscore.spark.session_kind import is_connect_session
    from sparkscore.store import hadoop_folders

    shown = redact_secrets(folder)
    if spark is None or is_connect_session(spark):
        found = f"{shown} was not tried: {why}"
        return EnvironmentCheck(name, "skip", found, "run it by spark-submit, on the machine of the driver")
    file = f"{folder.rstrip('/')}/{PROBE}{uuid4().hex}"
    try:
        hadoop_folders.write_text_file(spark, file, _CONTENT.decode())
        listed = file.rpartition("/")[2] in hadoop_folders.list_file_names(spark, folder)
        same = hadoop_folders.read_text_file(spark, file) == _CONTENT.decode()
        hadoop_folders.remove_text_file(spark, file)
        hadoop_folders.remove_empty_folder(spark, folder)
    except SparkscoreError as error:
        return _denied(name, shown, error)
    if not (listed and same):
        return _denied(name, shown, OSError("the file that was written is not listed, or reads differently"))
    return EnvironmentCheck(name, "ok", f"{shown}: listed, written, read and removed, by Spark")


class FolderProbe:
    """A file that is written, read, and removed at the end of the block."""

    def __init__(self, files: fs.FileSystem, path: str) -> None:
        self.files, self.path, self.ahead_s = files, path, 0.0
        self._span = (0.0, 0.0)

    def try_all(self) -> None:
        """Write, look, list and read.

        Raises:  OSError with the step that failed.
        """
        with _name_step("writing"):
            before = time.time()
            with self.files.open_output_stream(self.path) as stream:
                stream.write(_CONTENT)
            self._span = (before - 1, time.time())  # stores tell whole seconds
        with _name_step("listing"):
            folder = self.path.rpartition("/")[0]
            names = [one.base_name for one in self.files.get_file_info(fs.FileSelector(folder))]
            if self.path.rpartition("/")[2] not in names:
                raise OSError("the file that was written is not listed")
        with _name_step("reading"), self.files.open_input_stream(self.path) as stream:
            if stream.read() != _CONTENT:
                raise OSError("the file that was written reads differently")
        self.measure_clock()

    def remove(self) -> None:
        """Remove the file, if it is there."""
        if self.files.get_file_info(self.path).type != fs.FileType.NotFound:
            self.files.delete_file(self.path)

    def measure_clock(self) -> None:
        """How far the store's clock is ahead, by when it says that the file was written."""
        told = self.files.get_file_info(self.path).mtime
        self.ahead_s = 0.0 if told is None else measure_skew(told.timestamp(), *self._span)


@contextmanager
def probe_folder(spark: "SparkSession | None", folder: str) -> Iterator[FolderProbe]:
    """A file in a folder during the block. Folders that had to be made are removed again, as far as they are empty.

    Raises:  ScanUnsupported where only Spark reaches the folder; OSError.
    """
    from sparkscore.store.table_location import locate_table

    location = locate_table(spark, TableRef(folder, folder))
    files, root = location.files, location.root.rstrip("/")
    made = _make_folders(files, root) if location.filesystem is None else []
    probe = FolderProbe(files, f"{root}/{PROBE}{uuid4().hex}")
    try:
        probe.try_all()
        yield probe
        with _name_step("removing"):
            probe.remove()
    finally:
        with suppress(OSError):  # after another failure, which is the one to tell
            probe.remove()
        _remove_empty_folders(made)


def _make_folders(files: fs.FileSystem, root: str) -> list[str]:
    """Those of the folder and its parents that were not there: Delta makes them, too."""
    paths = [str(one) for one in (PurePosixPath(root), *PurePosixPath(root).parents)]
    absent = [one for one in paths if files.get_file_info(one).type == fs.FileType.NotFound]
    try:
        with _name_step("making the folder"):
            files.create_dir(root)
    except OSError:
        _remove_empty_folders(absent)
        raise
    return absent


def _remove_empty_folders(paths: Sequence[str]) -> None:
    """Needs:   what lies deeper first."""
    for path in paths:
        with suppress(OSError):
            Path(path).rmdir()


@contextmanager
def _name_step(step: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise type(error)(f"{step}: {choose_failure_line(error)}") from error


def _denied(name: str, shown: str, error: Exception) -> EnvironmentCheck:
    told = error.found if isinstance(error, SparkscoreError) else choose_failure_line(error)
    return EnvironmentCheck(
        name,
        "fail",
        f"{shown} cannot be used: {told}",
        "give the identity that runs the job permission to list, read, write and delete there, or name another folder",
    )
