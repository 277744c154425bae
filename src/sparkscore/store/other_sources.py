"""What there is in the place of a Delta table: a view, another kind of table, files of another format."""

from pyspark.sql import SparkSession

from sparkscore.errors import TableNotFound
from sparkscore.spark.identifiers import quote_table
from sparkscore.store.hadoop_folders import list_file_sizes, list_folder_names
from sparkscore.store.table import Table
from sparkscore.store.table_location import LOG_FOLDER

_NO_VERSIONS = "a Delta table, whose versions can be pinned"


def name_other_source(table: Table) -> TableNotFound | None:
    """The error that says what a name or a path is instead of a Delta table; None where nothing is there.

    Jobs:    none.
    """
    return _name_catalog_entry(table) if table.path is None else _name_folder(table.spark, table.path)


def _name_catalog_entry(table: Table) -> TableNotFound | None:
    try:
        entry = table.spark.catalog.getTable(quote_table(table.ref))
    except Exception:  # noqa: BLE001  nothing is known of it, and the caller's error says that no table is there
        return None
    kind = str(entry.tableType).upper()
    if "VIEW" in kind or kind == "TEMPORARY":
        return TableNotFound(
            f"{table.name} is a view",
            _NO_VERSIONS,
            "name the table behind it, with source.where for its filter; or set source.format: view, and its rows are"
            " landed for each as_of",
        )
    return TableNotFound(
        f"{table.name} is a table of the catalog, but no Delta table",
        _NO_VERSIONS,
        f"set source.format: view, and its rows are landed for each as_of; or CONVERT TO DELTA {table.name}",
    )


def _name_folder(spark: SparkSession, path: str) -> TableNotFound | None:
    try:
        folders = list_folder_names(spark, path)
        is_something_else = LOG_FOLDER not in folders and bool(folders or list_file_sizes(spark, path))
    except Exception:  # noqa: BLE001  likewise
        return None
    if not is_something_else:
        return None
    return TableNotFound(
        f"{path} holds files, but no Delta table: it has no _delta_log",
        _NO_VERSIONS,
        "name the folder that holds _delta_log; or say what the files are (source.format: parquet, csv, json, orc), and"
        " their rows are landed for each as_of",
    )
