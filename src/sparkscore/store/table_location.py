"""Locations of tables that pyarrow and deltalake reach without Spark: local files, and S3 with known keys."""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyarrow import fs
from pyspark.sql import SparkSession

from sparkscore.errors import ScanUnsupported
from sparkscore.records import TableLocation, TableRef
from sparkscore.spark.outside_conf import HADOOP_CONF_VARIABLES
from sparkscore.spark.session_kind import is_connect_session, shares_files

LOG_FOLDER = "_delta_log"
DIRECT_ERRORS = (ScanUnsupported, DeltaError, OSError, ValueError, pa.ArrowException)
"""What says that Spark has to do it. Where it fails, too, its own error tells why."""
_S3_SCHEMES = ("s3", "s3a")
_LOG_STORES = ("spark.delta.logStore.s3", "spark.delta.logStore.class")
_S3A_PREFIX = "spark.hadoop.fs.s3a."
_S3_OPTIONS: Mapping[str, tuple[str, str]] = {
    "access_key": ("access.key", "AWS_ACCESS_KEY_ID"),
    "secret_key": ("secret.key", "AWS_SECRET_ACCESS_KEY"),
    "session_token": ("session.token", "AWS_SESSION_TOKEN"),
    "endpoint_override": ("endpoint", "AWS_ENDPOINT_URL"),
    "region": ("endpoint.region", "AWS_REGION"),
}
"""pyarrow's argument: the setting of Spark's S3A, and the variable that AWS's own tools and deltalake read."""


_DEFAULT_FILE_SYSTEMS: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
_CONTEXT_CONFS: WeakKeyDictionary[Any, Mapping[str, str]] = WeakKeyDictionary()


def locate_table(spark: SparkSession | None, table: TableRef) -> TableLocation:
    """The table's folder, for readers and writers other than Spark.

    Needs:   without a session, that Spark would get its settings of Hadoop from the environment alone.
    Jobs:    none; no network access.
    Raises:  ScanUnsupported for a catalog's table, for stores that only Spark reaches, and for S3 without keys that can
             be handed on: those of an instance's role, or of one bucket, stay Spark's.
    """
    if table.path is None:
        raise ScanUnsupported(
            f"{table.name} is a table of a catalog", "a table by its path: a catalog may restrict its rows"
        )
    parts = urlsplit(table.path)
    if parts.scheme.lower() in ("", "file") and not (spark is None or shares_files(spark)):
        raise ScanUnsupported(
            f"{table.name} is on the machine of a Spark Connect server", "a client on that machine, or S3"
        )
    if parts.scheme == "":
        _refuse_other_default(spark)
        return TableLocation(table.path, table.path)
    if parts.scheme.lower() == "file" and not parts.netloc:
        return TableLocation(unquote(parts.path), unquote(parts.path))
    if parts.scheme.lower() in _S3_SCHEMES:
        return _locate_on_s3(f"{parts.netloc}{parts.path}".rstrip("/"), _load_context_conf(spark))
    raise ScanUnsupported(f"{table.name} is on {parts.scheme}", "local files, or S3")


def open_deltalake_table(location: TableLocation, version: int | None = None) -> DeltaTable:
    """The table there, read by deltalake.

    Raises:  deltalake's TableNotFoundError and DeltaError, OSError.
    """
    return DeltaTable(location.uri, version=version, storage_options=dict(location.options) or None)


def _load_context_conf(spark: SparkSession | None) -> Mapping[str, str]:
    """The settings that Spark was started with: hundreds of calls to the JVM, so once per context."""
    if spark is None:
        return {}
    if is_connect_session(spark):
        return dict(spark.conf.getAll)
    context = spark.sparkContext
    if context not in _CONTEXT_CONFS:
        _CONTEXT_CONFS[context] = dict(context.getConf().getAll())
    return _CONTEXT_CONFS[context]


def _locate_on_s3(root: str, conf: Mapping[str, str]) -> TableLocation:
    given = _s3_settings(conf)
    if not given.get("access_key") or not given.get("secret_key"):
        raise ScanUnsupported(
            "the session has no S3 keys that can be passed on", f"{_S3A_PREFIX}access.key, or AWS_ACCESS_KEY_ID"
        )
    plain = given.get("endpoint_override", "").startswith("http://")
    options = {_S3_OPTIONS[name][1]: value for name, value in given.items()}
    # written only where nothing is: two drivers that make the same commit do not overwrite one another
    options |= {"aws_conditional_put": "etag", **({"AWS_ALLOW_HTTP": "true"} if plain else {})}
    return TableLocation(f"s3://{root}", root, fs.S3FileSystem(**given), options, _is_coordinated(conf))


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


def _is_coordinated(conf: Mapping[str, str]) -> bool:
    """Whether Spark commits to S3 through a service: Delta's store of logs in DynamoDB, or Databricks' own."""
    return "DATABRICKS_RUNTIME_VERSION" in os.environ or any(name.startswith(_LOG_STORES) for name in conf)


def _s3_settings(conf: Mapping[str, str]) -> Mapping[str, str]:
    """What Spark's S3A is told where it has keys of its own, else what the environment says."""
    special = [
        name for name in conf if name.startswith((f"{_S3A_PREFIX}bucket.", f"{_S3A_PREFIX}aws.credentials.provider"))
    ]
    if special:
        raise ScanUnsupported(f"the session reaches S3 with {special[0]}", "plain keys")
    by_spark = {name: conf.get(_S3A_PREFIX + hadoop) for name, (hadoop, _) in _S3_OPTIONS.items()}
    by_environment = {name: os.environ.get(variable) for name, (_, variable) in _S3_OPTIONS.items()}
    chosen = by_spark if by_spark["access_key"] else by_environment
    return {name: value for name, value in chosen.items() if value}
