"""Tables of a catalog: where they lie, and whose rows somebody may restrict."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake.exceptions import DeltaError
from pyspark.sql import SparkSession

from sparkscore.errors import ScanUnsupported, SparkNeeded
from sparkscore.ingest.file_listing import plan_file_scan
from sparkscore.records import Snapshot, TableRef
from sparkscore.spark.isolated_session import load_session_settings
from sparkscore.store.catalog_tables import refuse_governed_session
from sparkscore.store.direct_commits import append_directly
from sparkscore.store.table import Table
from sparkscore.store.table_location import locate_table

ROWS = pa.schema([("id", pa.int64())])


def named(name: str) -> TableRef:
    return TableRef(name, None)


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A schema of the session's catalog with a table of its own, one that lies elsewhere, and what is neither."""
    folder = tmp_path_factory.mktemp("ware house")
    spark.sql(f"CREATE SCHEMA pond LOCATION '{folder}/pond'")
    spark.range(3).write.format("delta").saveAsTable("pond.own")
    spark.sql(f"CREATE TABLE pond.elsewhere (id BIGINT) USING delta LOCATION '{folder}/else %20where'")
    spark.sql("CREATE TABLE pond.plain (id BIGINT) USING parquet")
    spark.sql("CREATE VIEW pond.seen AS SELECT * FROM pond.own WHERE id > 0")
    yield folder
    spark.sql("DROP SCHEMA pond CASCADE")


def test_a_table_is_where_its_catalog_says_by_names_of_two_and_three_parts(spark: SparkSession, lake: Path) -> None:
    for name in ("pond.own", "spark_catalog.pond.own"):
        assert locate_table(spark, named(name)).root == f"{lake}/pond/own"
    assert locate_table(spark, named("pond.elsewhere")).root == f"{lake}/else %20where"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("pond.seen", "is a view of the catalog"),
        ("pond.plain", "is no Delta table"),
        ("pond.absent", "gives no entry"),
        ("absent.own", "gives no entry"),
        ("other.pond.own", "the catalog other"),
    ],
)
@pytest.mark.usefixtures("lake")
def test_what_is_no_plain_delta_table_of_the_sessions_catalog_is_sparks(
    spark: SparkSession, name: str, why: str
) -> None:
    with pytest.raises(ScanUnsupported, match=why):
        locate_table(spark, named(name))


@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [
        ("spark.sql.catalog.spark_catalog", "io.unitycatalog.spark.UCSingleCatalog", "UCSingleCatalog"),
        ("spark.sql.catalog.spark_catalog", None, "None"),
        (
            "spark.sql.extensions",
            "io.delta.sql.DeltaSparkSessionExtension,org.apache.kyuubi.plugin.spark.authz.ranger.RangerSparkExtension",
            "RangerSparkExtension",
        ),
        ("spark.emr-serverless.lakeformation.enabled", "true", "lakeformation"),
        ("spark.sql.catalog.spark_catalog.lf.managed", "true", "lf.managed"),
        ("spark.hadoop.hive.security.authorization.enabled", "true", "authorization"),
        ("spark.databricks.clusterUsageTags.clusterId", "1", "Databricks"),
    ],
)
def test_a_session_that_may_restrict_rows_reads_its_tables_itself(
    spark: SparkSession, setting: str, value: str | None, why: str
) -> None:
    settings = load_session_settings(spark)
    refuse_governed_session(spark, settings)
    changed = {name: found for name, found in {**settings, setting: value}.items() if found is not None}
    with pytest.raises(ScanUnsupported, match=why):
        refuse_governed_session(spark, changed)


def test_another_current_catalog_means_another_table(spark: SparkSession, lake: Path) -> None:
    session = spark.newSession()
    session.conf.set("spark.sql.catalog.other", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    session.conf.set("spark.sql.defaultCatalog", "other")
    assert str(lake)
    with pytest.raises(ScanUnsupported, match="the current catalog is other"):
        locate_table(session, named("pond.own"))
    with pytest.raises(ScanUnsupported, match="the catalog other"):  # as Spark resolves a first part that is a catalog
        locate_table(session, named("other.own"))


def test_without_a_session_a_catalogs_table_needs_one() -> None:
    with pytest.raises(SparkNeeded):
        locate_table(None, named("pond.own"))


@pytest.mark.usefixtures("lake")
def test_a_catalogs_table_is_scanned_and_its_log_read_beside_spark(
    spark: SparkSession, opened_tables: list[str]
) -> None:
    table = Table(spark, named("pond.own"))
    snapshot = Snapshot(table.ref, table.id, table.load_newest_version(), ROWS, ("id",), ("id",))
    scan = plan_file_scan(spark, snapshot, source=table)
    ids = [value for split in scan.splits for batch in scan.reader(split) for value in batch["id"].to_pylist()]
    assert sorted(ids) == [row["id"] for row in table.load_rows().orderBy("id").collect()]
    assert append_directly(table, pa.table({"id": [7]}, schema=ROWS)) == 1
    assert (table.load_rows().count(), opened_tables) == (4, [])


def test_a_table_that_was_made_anew_elsewhere_is_found_there(spark: SparkSession, lake: Path) -> None:
    spark.sql(f"CREATE TABLE pond.moved (id BIGINT) USING delta LOCATION '{lake}/first'")
    table = Table(spark, named("pond.moved"))
    assert table.location.root == f"{lake}/first"
    spark.sql("DROP TABLE pond.moved")
    spark.sql(f"CREATE TABLE pond.moved (id BIGINT) USING delta LOCATION '{lake}/second'")
    assert table.in_session(spark).location.root == table.refresh().location.root == f"{lake}/second"


def test_a_table_whose_commits_its_catalog_keeps_is_sparks(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "managed")
    spark.range(3).write.format("delta").save(path)
    log = tmp_path / "managed" / "_delta_log" / f"{0:020}.json"
    features = ["catalogManaged", "inCommitTimestamp"]
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": features[:1],
        "writerFeatures": features,
    }
    lines = [line for line in log.read_text().splitlines() if "protocol" not in line]
    log.write_text("\n".join([*lines, json.dumps({"protocol": protocol})]) + "\n")
    log.with_suffix(".crc").unlink(missing_ok=True)  # it says the protocol, too
    table = Table(spark, TableRef("t", path))
    with pytest.raises(DeltaError, match="catalog-managed"):
        table.log.load_newest_version()
