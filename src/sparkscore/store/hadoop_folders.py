"""Folders on every file system that Spark reaches, through Hadoop's own client; over Connect, those that the client
reaches itself. Links are never followed."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from pyspark.sql import SparkSession

from sparkscore.errors import AccessDenied, ConfigError, ScanUnsupported, SparkNeeded
from sparkscore.records import TableRef
from sparkscore.redaction.secret_patterns import mask_secrets
from sparkscore.spark.error_translation import to_sparkscore_error, translate_spark_errors
from sparkscore.spark.java_throwables import throwables_of
from sparkscore.spark.py4j_errors import Py4JJavaError
from sparkscore.spark.session_kind import is_connect_session
from sparkscore.store.client_folders import ClientFolder, name_denied_folder, write_client_file
from sparkscore.store.table_location import LOG_FOLDER, locate_table

_CHECKSUM_ERROR = "org.apache.hadoop.fs.ChecksumException"


@dataclass(frozen=True, slots=True)
class FolderContents:
    """The files of a folder, at every depth."""

    bytes: int
    newest: datetime
    """When the newest file was written; for an empty folder, the folder itself."""


def list_folder_names(spark: SparkSession, folder: str) -> list[str]:
    """The names of the folders in a folder, without links; none if it does not exist.

    Jobs:    none.
    Raises:  AccessDenied.
    """
    if is_connect_session(spark):
        with name_denied_folder(folder, "listing"):
            return ClientFolder.find(spark, folder).list_folders()
    with translate_spark_errors(f"listing {folder}"):
        files, path = _open_hadoop_path(spark, folder)
        if not files.exists(path):
            return []
        return sorted(str(one.getPath().getName()) for one in files.listStatus(path) if _is_folder(one))


def is_linked_folder(spark: SparkSession, folder: str) -> bool:
    """Whether the folder is a link to another one."""
    if is_connect_session(spark):
        return ClientFolder.find(spark, folder).is_link
    files, path = _open_hadoop_path(spark, folder)
    return _is_symbolic_link(files.makeQualified(path))


def list_file_sizes(spark: SparkSession, folder: str) -> dict[str, int]:
    """Bytes per file that lies in a folder, by its name.

    Jobs:    none.
    Raises:  AccessDenied.
    """
    if is_connect_session(spark):
        with name_denied_folder(folder, "listing"):
            return ClientFolder.find(spark, folder).list_sizes()
    with translate_spark_errors(f"listing {folder}"):
        files, path = _open_hadoop_path(spark, folder)
        return {str(one.getPath().getName()): int(one.getLen()) for one in files.listStatus(path) if one.isFile()}


def measure_folder(spark: SparkSession, folder: str) -> FolderContents:
    """How big a folder is, and how old.

    Jobs:    none.
    Raises:  AccessDenied.
    """
    if is_connect_session(spark):
        with name_denied_folder(folder, "listing"):
            return FolderContents(*ClientFolder.find(spark, folder).measure())
    with translate_spark_errors(f"listing {folder}"):
        files, path = _open_hadoop_path(spark, folder)
        found = list(_walk_files(files, path)) or [files.getFileStatus(path)]
        newest = max(int(one.getModificationTime()) for one in found)
        total = sum(int(one.getLen()) for one in found if one.isFile())
    return FolderContents(total, datetime.fromtimestamp(newest / 1000, UTC))


def remove_table_folder(spark: SparkSession, folder: str, *, root: str) -> None:
    """Remove a table's folder below `root`: its log first, so that a half-removed folder is no table.

    Jobs:    none.
    Raises:  ConfigError for a folder that is not below `root`, or behind a link there; AccessDenied.
    """
    if is_connect_session(spark):
        with name_denied_folder(folder, "removing"):
            return ClientFolder.find(spark, folder).remove_below(ClientFolder.find(spark, root))
    with translate_spark_errors(f"removing {folder}"):
        files, path = _open_hadoop_path(spark, folder)
        _refuse_outside_root(files.makeQualified(path), files.makeQualified(_hadoop_path(spark, root)))
        for part in (_hadoop_path(spark, f"{folder}/{LOG_FOLDER}"), path):
            files.delete(part, True)
        left = files.exists(path)
    if left:
        raise AccessDenied(f"{folder} could not be removed", "a folder that may be removed", "check its owner and mode")
    return None


def remove_empty_log(spark: SparkSession, folder: str) -> bool:
    """Remove the log of a table that has no commit: what is left of a driver that died while it made the table, and
    in the way of all that would make it again. True where it is gone. A commit that gets there meanwhile stays.

    Jobs:    none.
    Raises:  AccessDenied.
    """
    if is_connect_session(spark):
        with name_denied_folder(folder, "removing the log of"):
            return ClientFolder.find(spark, f"{folder}/{LOG_FOLDER}").remove_if_empty()
    with translate_spark_errors(f"removing {folder}/{LOG_FOLDER}"):
        files, log = _open_hadoop_path(spark, f"{folder}/{LOG_FOLDER}")
        if _is_symbolic_link(files.makeQualified(log)):
            return False
        found = list(files.listStatus(log))
        if any(one.isFile() and not one.getPath().getName().startswith(".") for one in found):
            return False
        for path in [*(one.getPath() for one in found), log]:
            with suppress(Py4JJavaError):  # a folder that holds something
                files.delete(path, False)
        return not files.exists(log)


def _refuse_outside_root(path: Any, root: Any) -> None:
    steps = [path]
    while steps[-1] is not None and not steps[-1].equals(root):
        steps.append(steps[-1].getParent())
    if steps[-1] is None or len(steps) == 1 or any(_is_symbolic_link(step) for step in steps[:-1]):
        raise ConfigError(
            f"{path.toString()} is not below {root.toString()}, or there is a link between them",
            "a folder below the folder of stages",
            "check what the folder holds, and remove it by hand",
        )


def _walk_files(files: Any, path: Any) -> Iterator[Any]:
    for one in files.listStatus(path):
        if _is_folder(one):
            yield from _walk_files(files, one.getPath())
        elif one.isFile():
            yield one


def _is_folder(status: Any) -> bool:
    return bool(status.isDirectory()) and not status.isSymlink() and not _is_symbolic_link(status.getPath())


def _is_symbolic_link(path: Any) -> bool:
    """For local files Hadoop's client starts a process to recognise a link; Python needs none."""
    uri = path.toUri()
    return uri.getScheme() in (None, "file") and Path(uri.getPath()).is_symlink()


def _open_hadoop_path(spark: SparkSession, folder: str) -> tuple[Any, Any]:
    """The file system and the path there."""
    path = _hadoop_path(spark, folder)
    return path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()), path  # noqa: SLF001  no public way


def _hadoop_path(spark: SparkSession, folder: str) -> Any:
    jvm: Any = spark.sparkContext._jvm  # noqa: SLF001  Spark has no public way to the file system that it uses itself
    return getattr(jvm, "org.apache.hadoop.fs.Path")(folder)  # by one name: by five, each is a call to the JVM


def write_text_file(spark: SparkSession | None, file: str, text: str) -> None:
    """Write a whole file at once, without secrets: a reader sees the old one until then. Creates an absent folder.

    Needs:   a session, but for files of this machine.
    Jobs:    none.
    Raises:  AccessDenied; SparkNeeded without a session for a file that lies elsewhere.
    """
    content = mask_secrets(text).encode()
    with translate_spark_errors(f"writing {file}"):
        local = _find_local_path(spark, file)
        if local is not None:
            return _replace_local_file(local, content)
        if spark is None:
            raise SparkNeeded(file)
        if is_connect_session(spark):
            return write_client_file(spark, file, content)
        files, path = _open_hadoop_path(spark, file)
        other = path.suffix(f".{uuid4().hex}.tmp")
        stream = files.create(other, True)
        try:
            stream.write(bytearray(content))
        finally:
            stream.close()
        files.delete(path, False)
        if not files.rename(other, path):
            raise AccessDenied(f"{file} cannot be written", "a folder to write to", "check its owner and mode")
    return None


def read_text_file(spark: SparkSession, file: str) -> str | None:
    """The text of a small file; None where there is none.

    Needs:   a classic session.
    Jobs:    none.
    Raises:  AccessDenied; ConfigError where it is not what its checksum says, or no text.
    """
    with translate_spark_errors(f"reading {file}"), _name_damaged_file(file):
        local = _find_local_path(spark, file)
        if local is not None:
            return local.read_text(encoding="utf-8") if local.is_file() else None
        files, path = _open_hadoop_path(spark, file)
        if not files.exists(path):
            return None
        stream = files.open(path)
        try:
            return bytes(stream.readAllBytes()).decode()
        finally:
            stream.close()


@contextmanager
def _name_damaged_file(file: str) -> Iterator[None]:
    """Hadoop keeps a checksum beside a file on file systems that have none: `.name.crc`."""
    try:
        yield
    except (Py4JJavaError, UnicodeDecodeError) as error:
        kinds = [one.kind for one in throwables_of(error)]
        if isinstance(error, Py4JJavaError) and _CHECKSUM_ERROR not in kinds:
            raise
        folder, _, name = file.rpartition("/")
        checksum = f"{folder}/.{name}.crc"
        found, do = f"{file} is no text", "restore it"
        if kinds:
            found, do = f"{file} was damaged or edited: {checksum} differs", f"restore it, or remove {checksum}"
        raise ConfigError(found, "the file as it was written", do) from error


def create_text_file(spark: SparkSession, file: str, text: str) -> bool:
    """Write a file that is not there yet; False where somebody else has made it. Creates an absent folder.

    Needs:   a classic session.
    Jobs:    none.
    Raises:  AccessDenied.
    """
    if read_text_file(spark, file) is not None:
        return False
    local = _find_local_path(spark, file)
    if local is None:
        write_text_file(spark, file, text)
        return True
    other = f"{file}.{uuid4().hex}"
    write_text_file(spark, other, text)
    with translate_spark_errors(f"writing {file}"):
        whole = Path(local.with_name(other.rpartition("/")[2]))
        try:
            local.hardlink_to(whole)
        except FileExistsError:
            return False
        finally:
            whole.unlink(missing_ok=True)
    return True


def remove_text_file(spark: SparkSession, file: str) -> None:
    """Remove a file, if it is there.

    Needs:   a classic session.
    Jobs:    none.
    Raises:  AccessDenied.
    """
    with translate_spark_errors(f"removing {file}"):
        local = _find_local_path(spark, file)
        if local is not None:
            local.unlink(missing_ok=True)
            return
        files, path = _open_hadoop_path(spark, file)
        files.delete(path, False)


def remove_empty_folder(spark: SparkSession, folder: str) -> None:
    """Remove a folder, if nothing is in it.

    Needs:   a classic session.
    Jobs:    none.
    """
    files, path = _open_hadoop_path(spark, folder)
    with suppress(Py4JJavaError):  # a folder that holds something
        files.delete(path, False)


def list_file_names(spark: SparkSession, folder: str) -> list[str]:
    """The names of the files that lie in a folder; none where it does not exist.

    Needs:   a classic session.
    Jobs:    none.
    Raises:  AccessDenied.
    """
    local = _find_local_path(spark, folder)
    if local is not None:
        return sorted(one.name for one in local.iterdir() if one.is_file()) if local.is_dir() else []
    with translate_spark_errors(f"listing {folder}"):
        files, path = _open_hadoop_path(spark, folder)
        return sorted(list_file_sizes(spark, folder)) if files.exists(path) else []


def _find_local_path(spark: SparkSession | None, file: str) -> Path | None:
    """Where a file of this machine lies; None for one that only Hadoop's client reaches."""
    try:
        location = locate_table(spark, TableRef(file, file))
    except ScanUnsupported:
        return None
    return Path(location.root) if location.filesystem is None else None


def _replace_local_file(file: Path, content: bytes) -> None:
    """In one step; a link in its place is replaced, and not followed."""
    other = file.with_name(f"{file.name}.{uuid4().hex}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        other.write_bytes(content)
        other.replace(file)
    except OSError as error:
        with suppress(OSError):
            other.unlink(missing_ok=True)
        denied = AccessDenied(
            f"{file} cannot be written ({type(error).__name__})", "a folder to write to", "check its owner and mode"
        )
        raise to_sparkscore_error(error, f"writing {file}") or denied from error
