"""Where a table of a catalog lies, if the storage alone decides who reads it: `docs/decisions/catalog-tables.md`."""

from collections.abc import Iterable, Mapping
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from sparkscore.errors import ScanUnsupported
from sparkscore.records import TableRef
from sparkscore.spark.isolated_session import load_session_settings
from sparkscore.spark.py4j_errors import Py4JError
from sparkscore.store.patient_questions import ask_in_time

SESSION_CATALOG = "spark_catalog"
_CATALOG_SETTING = "spark.sql.catalog."
_UNGOVERNED_CATALOG = "org.apache.spark.sql.delta.catalog.DeltaCatalog"
"""It hands names on to Spark's own catalog: in memory, of a Hive metastore, or of what speaks as one, as Glue."""
_UNGOVERNED_EXTENSIONS = frozenset(
    {
        "io.delta.sql.DeltaSparkSessionExtension",
        "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "org.apache.spark.sql.hudi.HoodieSparkSessionExtension",
    }
)
_SPARKS_OWN = "org.apache.spark."
_GOVERNING_SETTINGS = ("lakeformation", "lake-formation", ".lf.managed", "databricks.acl.", "unitycatalog")
"""In the names of settings: a service that gives one reader other rows than another."""
_HIVE_AUTHORIZATION = "hive.security.authorization.enabled"
_TABLE_TYPES = ("MANAGED", "EXTERNAL")
_CATALOG_MANAGED = ("delta.feature.catalogManaged", "delta.feature.catalogOwned-preview")


def find_catalog_location(spark: SparkSession, table: TableRef) -> str:
    """The path of a table's folder as its catalog tells it, undecoded: a catalog that no rows or columns are hidden by.

    Asks the catalog for the table's entry alone, which is what Spark asks before it reads the table.

    Jobs:    none; the catalog is asked.
    Raises:  ScanUnsupported where somebody else than the storage may decide what is read, for what is no Delta table,
             and for what is not there; TemporaryError where the catalog does not answer.
    """
    settings = load_session_settings(spark)
    refuse_governed_session(spark, settings)
    database, name = _split_name(spark, table.name, settings)
    what = f"asking the catalog for {table.name}"
    entry = ask_in_time(lambda: _load_entry(spark, database, name), what)
    return _require_plain_table(entry, table.name)


def refuse_governed_session(spark: SparkSession, settings: Mapping[str, str]) -> None:
    """Refuse a session whose catalog, or one of whose extensions, may restrict what a user reads of a table.

    Raises:  ScanUnsupported.
    """
    if "spark.databricks.clusterUsageTags.clusterId" in settings:
        raise ScanUnsupported("Databricks governs what is read of a catalog's table", "a table by its path")
    found = settings.get(_CATALOG_SETTING + SESSION_CATALOG)
    if found != _UNGOVERNED_CATALOG:
        raise ScanUnsupported(f"the session's catalog is {found}, which may restrict rows", _UNGOVERNED_CATALOG)
    extensions = settings.get("spark.sql.extensions", "").split(",")
    unknown = [one for one in map(str.strip, [*extensions, *_list_loaded_extensions(spark)]) if not _is_known(one)]
    if unknown:
        raise ScanUnsupported(f"the session's extension {unknown[0]} may restrict rows", "Delta's own")
    governing = [name for name in settings if any(word in name.lower() for word in _GOVERNING_SETTINGS)]
    governing += [name for name, value in settings.items() if name.endswith(_HIVE_AUTHORIZATION) and value != "false"]
    if governing:
        raise ScanUnsupported(f"the session's {governing[0]} may restrict rows", "a catalog that only names tables")


def _is_known(extension: str) -> bool:
    return not extension or extension in _UNGOVERNED_EXTENSIONS or extension.startswith(_SPARKS_OWN)


def _list_loaded_extensions(spark: SparkSession) -> Iterable[str]:
    """Extensions that Spark loads because their jar is there, without a setting."""
    java = _gateway(spark).java
    found = java.util.ServiceLoader.load(
        java.lang.Class.forName("org.apache.spark.sql.SparkSessionExtensionsProvider")
    ).iterator()
    while found.hasNext():
        yield str(found.next().getClass().getName())


def _split_name(spark: SparkSession, text: str, settings: Mapping[str, str]) -> tuple[str, str]:
    """Database and name in the session's catalog, by Spark's own rule for names of two and three parts."""
    *above, name = text.split(".")
    if not above:
        raise ScanUnsupported(f"{text} may be a table of any schema", "schema.table")
    if len(above) == 1 and _CATALOG_SETTING + above[0] not in settings:
        _require_current_catalog(spark, settings)
    elif above[0].lower() != SESSION_CATALOG:
        kind = settings.get(_CATALOG_SETTING + above[0], "unknown")
        raise ScanUnsupported(f"the catalog {above[0]} ({kind}) may restrict rows", f"a table of {SESSION_CATALOG}")
    return above[-1], name


def _require_current_catalog(spark: SparkSession, settings: Mapping[str, str]) -> None:
    """Refuse a session in which names of two parts mean another catalog; one that hands names on has their name."""
    manager = spark._jsparkSession.sessionState().catalogManager()  # noqa: SLF001  no public way
    found = settings.get("spark.sql.defaultCatalog", SESSION_CATALOG)
    if found != SESSION_CATALOG or not manager.currentCatalog().equals(manager.catalog(SESSION_CATALOG)):
        raise ScanUnsupported(f"the current catalog is {found}, which may restrict rows", SESSION_CATALOG)


def _load_entry(spark: SparkSession, database: str, name: str) -> Any:
    """The table's entry in the session's catalog, as Spark keeps it: public ways open the table's log as well."""
    gateway = _gateway(spark)
    named = gateway.org.apache.spark.sql.catalyst.TableIdentifier(name, gateway.scala.Option.apply(database))
    try:
        return spark._jsparkSession.sessionState().catalog().getTableMetadata(named)  # noqa: SLF001  no public way
    except (PySparkException, Py4JError) as error:  # Spark's own question fails, too, and tells why
        raise ScanUnsupported(f"the catalog gives no entry ({type(error).__name__})", "a Delta table") from error


def _require_plain_table(entry: Any, name: str) -> str:
    kind, provider = entry.tableType().name(), entry.provider()
    if kind not in _TABLE_TYPES:
        raise ScanUnsupported(f"{name} is a {kind.lower()} of the catalog", "a table")
    if not provider.isDefined() or provider.get().lower() != "delta":
        raise ScanUnsupported(f"{name} is no Delta table", "a Delta table")
    if any(entry.properties().contains(feature) for feature in _CATALOG_MANAGED):
        raise ScanUnsupported(f"the catalog itself keeps the commits of {name}", "commits in the table's folder")
    location = entry.storage().locationUri()
    if not location.isDefined():
        raise ScanUnsupported(f"the catalog does not say where {name} lies", "a location")
    return str(location.get().toString())


def _gateway(spark: SparkSession) -> Any:
    return spark.sparkContext._jvm  # noqa: SLF001  no public way
