"""What readers outside of Spark need before a run: their options, and their packages on the class path. Pure."""

from collections.abc import Mapping, Sequence

from sparkscore.errors import ConfigError

JDBC, VIEW = "jdbc", "view"
SNOWFLAKE_FORMATS = ("snowflake", "net.snowflake.spark.snowflake")
_BIGQUERY = ("bigquery", "com.google.cloud.spark.bigquery")
_REQUIRED: Mapping[str, Sequence[Sequence[str]]] = {
    JDBC: (("url",),),
    **dict.fromkeys(
        SNOWFLAKE_FORMATS,
        (
            ("sfURL",),
            ("sfUser",),
            ("sfDatabase",),
            ("sfSchema",),
            ("sfPassword", "pem_private_key", "sfToken"),
        ),
    ),
}
"""The options of a format: one of each group."""
_PACKAGES: Mapping[str, str] = {
    **dict.fromkeys(SNOWFLAKE_FORMATS, "net.snowflake:spark-snowflake_2.13"),
    **dict.fromkeys(_BIGQUERY, "com.google.cloud.spark:spark-bigquery-with-dependencies_2.13"),
    "avro": "org.apache.spark:spark-avro_2.13",
    "iceberg": "org.apache.iceberg:iceberg-spark-runtime",
    "hudi": "org.apache.hudi:hudi-spark-bundle",
    "mongodb": "org.mongodb.spark:mongo-spark-connector_2.13",
    "deltasharing": "io.delta:delta-sharing-spark_2.13",
}
_DRIVERS: Mapping[str, str] = {
    "postgresql": "org.postgresql:postgresql",
    "mysql": "com.mysql:mysql-connector-j",
    "mariadb": "org.mariadb.jdbc:mariadb-java-client",
    "sqlserver": "com.microsoft.sqlserver:mssql-jdbc",
    "oracle": "com.oracle.database.jdbc:ojdbc11",
    "db2": "com.ibm.db2:jcc",
    "snowflake": "net.snowflake:snowflake-jdbc",
    "redshift": "com.amazon.redshift:redshift-jdbc42",
}
_MIN_BIGQUERY_PARTS = 2


def require_reader_options(format_: str, options: Mapping[str, str], table: str) -> None:
    """Refuse a source whose reader lacks an option, or a table that its reader cannot name.

    Raises:  ConfigError.
    """
    known = {name.lower() for name in options}
    missing = [
        " or ".join(group)
        for group in _REQUIRED.get(format_.lower(), ())
        if not known & {name.lower() for name in group}
    ]
    if missing:
        raise ConfigError(
            f"a source of the format {format_} without {', '.join(missing)}",
            f"these in source.options: {', '.join(' or '.join(group) for group in _REQUIRED[format_.lower()])}",
            "set them; a secret by the environment: SPARKSCORE_SOURCE__OPTIONS='{password: …}'",
        )
    if format_.lower() in _BIGQUERY and ("/" in table or table.count(".") + 1 < _MIN_BIGQUERY_PARTS):
        raise ConfigError(
            f"source.table {table} of the format {format_}",
            "dataset.table or project.dataset.table",
            "name the dataset, too",
        )


def missing_reader_error(format_: str, options: Mapping[str, str]) -> ConfigError:
    """The error for a reader, or the driver of a database, that is not on Spark's class path."""
    if format_.lower() == JDBC:
        url = next((text for name, text in options.items() if name.lower() == "url"), "")
        database = url.split(":")[1] if url.startswith("jdbc:") and ":" in url[len("jdbc:") :] else ""
        what, package = f"no JDBC driver for jdbc:{database}: is on Spark's class path", _DRIVERS.get(database)
    else:
        what, package = f"Spark has no reader of the format {format_}", _PACKAGES.get(format_.lower())
    named = f"spark-submit --packages {package}:VERSION" if package else "spark-submit --packages, or --jars"
    return ConfigError(
        what, "its package on the class path of driver and executors", f"{named}; or correct source.format"
    )
