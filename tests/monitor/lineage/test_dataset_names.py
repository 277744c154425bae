"""Datasets have the names that other tools' events give them."""

import pytest

from sparkscore.monitor.lineage.dataset_names import (
    name_catalog_dataset,
    name_jdbc_dataset,
    name_model_dataset,
    name_path_dataset,
    name_source_dataset,
)
from sparkscore.records import DatasetName


@pytest.mark.parametrize(
    ("path", "namespace", "name"),
    [
        ("/data/lake/flights", "file", "/data/lake/flights"),
        ("/data/lake/flights/", "file", "/data/lake/flights"),
        ("file:///data/flights", "file", "/data/flights"),
        ("file:/data/flights", "file", "/data/flights"),
        ("s3a://bucket/lake/flights/", "s3://bucket", "lake/flights"),
        ("s3://bucket/flights", "s3://bucket", "flights"),
        ("s3://bucket", "s3://bucket", "/"),
        ("gs://bucket/lake/flights", "gs://bucket", "lake/flights"),
        (
            "abfss://lake@account.dfs.core.windows.net/a/flights",
            "abfss://lake@account.dfs.core.windows.net",
            "a/flights",
        ),
        ("hdfs://name-node:8020/lake/flights", "hdfs://name-node:8020", "/lake/flights"),
        ("dbfs:/lake/flights", "dbfs", "/lake/flights"),
    ],
)
def test_a_path_is_split_as_the_specification_says(path: str, namespace: str, name: str) -> None:
    assert name_path_dataset(path) == DatasetName(namespace, name)


@pytest.mark.parametrize(
    ("url", "table", "namespace", "name"),
    [
        ("jdbc:postgresql://db:6543/shop?ssl=true", "sales.orders", "postgres://db:6543", "shop.sales.orders"),
        ("jdbc:postgresql://db/shop", "orders", "postgres://db:5432", "shop.public.orders"),
        ("jdbc:postgresql://me:secret@db/shop", "orders", "postgres://db:5432", "shop.public.orders"),
        ("jdbc:mysql://db/shop", "orders", "mysql://db:3306", "shop.orders"),
        ("jdbc:sqlserver://db:1433;database=shop", "dbo.orders", "sqlserver://db:1433", "dbo.orders"),
    ],
)
def test_a_databases_table_is_named_without_credentials(url: str, table: str, namespace: str, name: str) -> None:
    assert name_jdbc_dataset(url, table) == DatasetName(namespace, name)


def test_other_sources_have_their_formats_as_namespaces() -> None:
    assert name_source_dataset("csv", "s3a://drop/daily.csv", {}) == DatasetName("s3://drop", "daily.csv")
    assert name_source_dataset("JDBC", "orders", {"URL": "jdbc:mysql://db/shop"}).name == "shop.orders"
    assert name_source_dataset("bigquery", "project.lake.flights", {}) == DatasetName(
        "bigquery", "project.lake.flights"
    )


def test_a_catalogs_table_has_the_catalogs_address() -> None:
    def name(metastores: str | None, workspace: str | None) -> DatasetName:
        return name_catalog_dataset("lake.flights", metastores=metastores, workspace=workspace)

    assert name("thrift://meta:9083,thrift://other:9083", None).namespace == "hive://meta:9083"
    assert name(None, "https://dbc-1.cloud.databricks.com/").namespace == "databricks://dbc-1.cloud.databricks.com"
    assert name(None, None) == DatasetName("spark", "lake.flights")
    assert name_catalog_dataset("spark_catalog.lake.flights", metastores=None, workspace=None) == name(None, None)


@pytest.mark.parametrize(
    ("uri", "namespace"),
    [
        ("https://me:secret@mlflow.example.com:5000/base", "mlflow://mlflow.example.com:5000"),
        ("databricks", "mlflow://databricks"),
        ("sqlite:////home/me/mlflow.db", "mlflow"),
        (None, "mlflow"),
    ],
)
def test_a_model_has_the_address_of_its_registry(uri: str | None, namespace: str) -> None:
    assert name_model_dataset(uri, "late") == DatasetName(namespace, "late")
