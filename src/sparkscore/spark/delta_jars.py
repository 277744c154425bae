"""Delta's jars in the folder where Spark's resolver keeps them: where all are there, nothing has to be resolved."""

import hashlib
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sparkscore.spark.outside_conf import has_outside_jars

DELTA_PACKAGE = "io.delta:delta-spark_4.2_2.13:4.4.0"
"""Delta's jars for this Spark, as Spark's own resolver names them; the same stands in conf/spark/*.conf."""

DELTA_EXCLUDES = (
    "org.apache.hadoop:*,org.apache.parquet:*,org.apache.logging.log4j:*,org.slf4j:*,com.fasterxml.jackson.core:*"
    ",org.roaringbitmap:*,org.locationtech.jts:*,com.github.luben:*,org.xerial.snappy:*,io.airlift:*,commons-pool:*"
    ",com.google.code.findbugs:*"
)
"""What Spark itself contains, in newer versions: 13 MB to fetch instead of 86."""

RESOLVED_JARS_FOLDER = ".ivy2.5.2/jars"
"""Where Spark 4.2 keeps what it has resolved, under the user's home; spark-submit.sh looks there, too."""

_DIGESTS = Path(__file__).with_name("delta-jars.sha256")
"""Names and digests of all jars that `DELTA_PACKAGE` means, as sha256sum writes them; spark-submit.sh reads it, too."""


def choose_delta_conf() -> dict[str, str]:
    """The settings that bring Delta's jars into a session: their files where Spark has them already, else their name.

    Resolving a name takes Spark a second or two, writes 35 lines to stderr, and asks the network for what is missing.

    Jobs:    none; no network access.
    """
    package = name_delta_package(_read_spark_version())
    jars = None if has_outside_jars() or package != DELTA_PACKAGE else _find_resolved_jars()
    if jars is None:
        return {"spark.jars.packages": package, "spark.jars.excludes": DELTA_EXCLUDES}
    path = os.pathsep.join(map(str, jars))
    # executors too: a session that is started here may have its master and workers on this machine
    return {"spark.driver.extraClassPath": path, "spark.executor.extraClassPath": path}


def name_delta_package(spark_version: str) -> str:
    """Delta's jars for a Spark, of the version that this project is made for; each Spark from 4.0 on has its own."""
    release = ".".join(spark_version.split(".")[:2])
    return DELTA_PACKAGE.replace("delta-spark_4.2_", f"delta-spark_{release}_")


def _read_spark_version() -> str:
    """That of pyspark, which starts the session; not imported for it."""
    try:
        return version("pyspark")
    except PackageNotFoundError:  # Spark's own folder on the path, without its metadata
        import pyspark

        return pyspark.__version__


def _find_resolved_jars() -> tuple[Path, ...] | None:
    try:
        return find_delta_jars(Path.home() / RESOLVED_JARS_FOLDER)
    except RuntimeError:  # a user without a home
        return None


def find_delta_jars(folder: Path) -> tuple[Path, ...] | None:
    """Delta's jars in a folder; None where one is missing, or is another than the one whose digest is known."""
    lines = _DIGESTS.read_text(encoding="ascii").splitlines()
    expected = {folder / name: digest for digest, name in (line.split() for line in lines)}
    if os.pathsep in str(folder) or any(_file_digest(jar) != digest for jar, digest in expected.items()):
        return None
    return tuple(expected)


def _file_digest(file: Path) -> str | None:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return None
