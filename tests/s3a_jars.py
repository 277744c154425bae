"""Hadoop's S3A and what of Amazon's SDK it needs, for Spark in tests: 14 MB instead of the 600 of the SDK's bundle.

`python -m tests.s3a_jars` makes Spark resolve them, once, into a folder of their own under build/.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_HADOOP, _SDK = "3.5.0", "2.35.4"
"""Those of the Hadoop client that pip's pyspark has, and of its own project file."""
_MODULES = ("s3", "sts", "apache-client", "s3-transfer-manager")
_PACKAGES = (
    f"org.apache.hadoop:hadoop-aws:{_HADOOP}",
    *(f"software.amazon.awssdk:{one}:{_SDK}" for one in _MODULES),
)
_NOT_NEEDED = (
    "software.amazon.awssdk:bundle",
    "software.amazon.awssdk:netty-nio-client",
    "io.netty:*",
    "org.slf4j:*",
    "com.fasterxml.jackson.core:*",
)
_FOLDER = Path(__file__).resolve().parents[1] / "build" / "s3a"
_RESOLVE = (
    "from pyspark.sql import SparkSession;"
    "SparkSession.builder.master('local[1]').config('spark.ui.enabled', 'false').getOrCreate().stop()"
)


def has_s3a_jars() -> bool:
    """Whether they are there."""
    names = [jar.name for jar in (_FOLDER / "jars").glob("*.jar")]
    return all(any(one.partition(":")[2].replace(":", "-") in name for name in names) for one in _PACKAGES)


def s3a_class_path() -> str:
    """What goes into SPARK_DIST_CLASSPATH of a process that starts a JVM."""
    return os.pathsep.join(filter(None, [os.environ.get("SPARK_DIST_CLASSPATH", ""), str(_FOLDER / "jars" / "*")]))


def fetch_s3a_jars() -> None:
    """Make Spark resolve them, unless they are there."""
    if has_s3a_jars():
        return
    options = f"--packages {','.join(_PACKAGES)} --exclude-packages {','.join(_NOT_NEEDED)}"
    options += f" --conf spark.jars.ivy={_FOLDER} pyspark-shell"
    environ = {name: value for name, value in os.environ.items() if name != "SPARK_SUBMIT_OPTS"}
    subprocess.run([sys.executable, "-c", _RESOLVE], env=environ | {"PYSPARK_SUBMIT_ARGS": options}, check=True)


needs_s3a = pytest.mark.skipif(not has_s3a_jars(), reason="S3A is not there: python -m tests.s3a_jars fetches it")

if __name__ == "__main__":
    fetch_s3a_jars()
