"""Locations of tables that pyarrow and deltalake reach without Spark, as the same user: else they are Spark's."""

import os
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit
from weakref import WeakKeyDictionary

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyspark.sql import SparkSession

from sparkscore.errors import ScanUnsupported, SparkNeeded
from sparkscore.records import TableLocation, TableRef
from sparkscore.spark.outside_conf import HADOOP_CONF_VARIABLES
from sparkscore.spark.session_kind import is_connect_session, shares_files
from sparkscore.store.catalog_tables import find_catalog_location
from sparkscore.store.cloud_locations import CLOUD_SCHEMES, locate_in_cloud
from sparkscore.store.s3_locations import S3_SCHEMES, locate_on_s3

LOG_FOLDER = "_delta_log"
DIRECT_ERRORS = (ScanUnsupported, DeltaError, OSError, ValueError, pa.ArrowException)
"""What says that Spark has to do it. Where it fails, too, its own error tells why."""
_DEFAULT_FILE_SYSTEMS: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def locate_table(spark: SparkSession | None, table: TableRef) -> TableLocation:
    """The table's folder, for readers and writers other than Spark.

    Needs:   without a session, that Spark would get its settings of Hadoop from the environment alone.
    Jobs:    none; a catalog is asked where its table lies.
    Raises:  ScanUnsupported for a catalog's table whose rows may be restricted, for stores that only Spark reaches, and
             for those where pyarrow and deltalake may be somebody else than Spark is; SparkNeeded, TemporaryError.
    """
    if spark is not None and is_connect_session(spark):
        _require_shared_path(spark, table)
    if table.path is not None:
        parts = urlsplit(table.path)
        return _locate_folder(spark, table.name, parts, parts.path)
    if spark is None:
        raise SparkNeeded(table.name)
    parts = urlsplit(find_catalog_location(spark, table))
    return _locate_folder(spark, table.name, parts, unquote(parts.path))


def _require_shared_path(spark: SparkSession, table: TableRef) -> None:
    """Refuse what a client of Spark Connect may not reach, or reach as somebody else than the server."""
    if not _is_local_path(table.path):
        raise ScanUnsupported(f"only the server of Spark Connect knows how to reach {table.name}", "a local file")
    if not shares_files(spark):
        raise ScanUnsupported(f"{table.name} is on the machine of a Spark Connect server", "a client on that machine")


def _is_local_path(path: str | None) -> bool:
    return path is not None and urlsplit(path).scheme.lower() in ("", "file")


def _locate_folder(spark: SparkSession | None, name: str, parts: SplitResult, path: str) -> TableLocation:
    """The folder at a path as Hadoop takes it: literally, with every sign that a URI would encode."""
    scheme = parts.scheme.lower()
    if scheme == "":
        _refuse_other_default(spark)
        return TableLocation(path, path)
    if scheme == "file" and not parts.netloc:
        return TableLocation(path, path)
    if scheme in S3_SCHEMES:
        return locate_on_s3(spark, scheme, f"{parts.netloc}{path}".rstrip("/"))
    if scheme in CLOUD_SCHEMES:
        return locate_in_cloud(spark, scheme, parts.netloc, path.strip("/"))
    raise ScanUnsupported(f"{name} is on {parts.scheme}", "local files, S3, GCS or ADLS")


def open_deltalake_table(location: TableLocation, version: int | None = None) -> DeltaTable:
    """The table there, read by deltalake.

    Raises:  deltalake's TableNotFoundError and DeltaError, OSError.
    """
    return DeltaTable(location.uri, version=version, storage_options=dict(location.options) or None)


def _refuse_other_default(spark: SparkSession | None) -> None:
    """Refuse a path without a scheme where it is one of a cluster's file system."""
    if spark is None:
        named = next((name for name in HADOOP_CONF_VARIABLES if name in os.environ), None)
        if named is not None:
            raise ScanUnsupported(f"{named} may name another file system than the machine's", "a path with a scheme")
        return
    if is_connect_session(spark):  # that its server shares the files shows where a path without a scheme is
        return
    context = spark.sparkContext
    if context not in _DEFAULT_FILE_SYSTEMS:
        hadoop = context._jsc.hadoopConfiguration()  # noqa: SLF001  no public way
        _DEFAULT_FILE_SYSTEMS[context] = str(hadoop.get("fs.defaultFS", "file:///"))
    found = _DEFAULT_FILE_SYSTEMS[context]
    if not found.startswith("file:"):
        raise ScanUnsupported(f"a path without a scheme is one of {found}", "a path of the machine's own files")
