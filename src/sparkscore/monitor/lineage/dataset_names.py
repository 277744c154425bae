"""Names of datasets by OpenLineage's naming, so that they are the same as in the events of other tools. Pure.

Source:  OpenLineage, spec/Naming.md; of object stores as the Spark integration has them: without slashes around.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from sparkscore.records import DatasetName
from sparkscore.redaction.secret_patterns import mask_secrets

_OBJECT_STORES = {
    "s3": "s3",
    "s3a": "s3",
    "s3n": "s3",
    "gs": "gs",
    "abfs": "abfss",
    "abfss": "abfss",
    "wasb": "wasbs",
    "wasbs": "wasbs",
}
_DATABASES = {"postgresql": ("postgres", "5432"), "mysql": ("mysql", "3306"), "redshift": ("redshift", "5439")}
"""By the word in a JDBC URL: how OpenLineage names it, and its port."""
_DEFAULT_SCHEMAS = {"postgres": "public", "redshift": "public"}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
LOCAL_FILES = "file"
_SESSION_CATALOG = "spark_catalog."
CATALOG = "spark"
"""Namespace of a catalog of Spark that has no address."""


def name_path_dataset(path: str) -> DatasetName:
    """A folder or file by its path: an absolute one, or a URI."""
    if not _SCHEME.match(path):
        return DatasetName(LOCAL_FILES, _strip_last_slash(path))
    parts = urlsplit(path)
    scheme, authority = parts.scheme.lower(), parts.netloc.rpartition("@")[2]
    if scheme in _OBJECT_STORES:
        bucket = parts.netloc if "abfs" in scheme or "wasb" in scheme else authority  # container@account
        return DatasetName(f"{_OBJECT_STORES[scheme]}://{bucket}", parts.path.strip("/") or "/")
    if scheme == "file" and not authority:
        return DatasetName(LOCAL_FILES, _strip_last_slash(parts.path))
    return DatasetName(f"{scheme}://{authority}" if authority else scheme, _strip_last_slash(parts.path))


def name_catalog_dataset(table: str, *, metastores: str | None, workspace: str | None) -> DatasetName:
    """A table by its name in a catalog. `metastores`: addresses of a Hive metastore; `workspace`: of Databricks."""
    table = table.removeprefix(_SESSION_CATALOG)
    if workspace:
        return DatasetName(f"databricks://{workspace.removeprefix('https://').rstrip('/')}", table)
    if metastores:
        return DatasetName(f"hive://{urlsplit(metastores.partition(',')[0].strip()).netloc}", table)
    return DatasetName(CATALOG, table)


def name_jdbc_dataset(url: str, table: str) -> DatasetName:
    """A table of a database by its JDBC URL; of a database that OpenLineage has no rule for, by URL and table."""
    kind, _, rest = url.removeprefix("jdbc:").partition(":")
    address = urlsplit(re.split(r"[?;]", rest, maxsplit=1)[0])
    scheme, port = _DATABASES.get(kind.lower(), (kind.lower(), ""))
    host = address.netloc.rpartition("@")[2]
    if port and ":" not in host:
        host = f"{host}:{port}"
    database, schema = address.path.strip("/"), _DEFAULT_SCHEMAS.get(scheme)
    named = f"{schema}.{table}" if schema and "." not in table else table
    return DatasetName(mask_secrets(f"{scheme}://{host}"), f"{database}.{named}" if database else named)


def name_source_dataset(format_name: str, table: str, options: Mapping[str, str]) -> DatasetName:
    """A source of another format than Delta. `options`: without secrets."""
    if format_name.lower() == "jdbc":
        urls = [value for name, value in options.items() if name.lower() == "url"]
        return name_jdbc_dataset(urls[0] if urls else "jdbc:", table)
    if "/" in table:
        return name_path_dataset(table)
    return DatasetName(format_name.lower(), table)


def name_model_dataset(tracking_uri: str | None, model: str) -> DatasetName:
    """A registered model by its registry."""
    if model.startswith("vertex://"):
        return DatasetName("vertex", model.removeprefix("vertex://"))
    parts = urlsplit(tracking_uri or "")
    host = parts.netloc.rpartition("@")[2] if parts.scheme in ("http", "https") else ""
    if (tracking_uri or "").startswith("databricks"):
        host = "databricks"
    return DatasetName(f"mlflow://{host}" if host else "mlflow", model)


def _strip_last_slash(path: str) -> str:
    return path.rstrip("/") or "/"
