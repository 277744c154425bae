"""Jars that Spark needs in some tests beside its own: each set resolved once by Spark, into a folder under build/.

`python -m tests.maven_jars kafka s3a` resolves these.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyspark
import pytest

_BUILD = Path(__file__).resolve().parents[1] / "build"
_RESOLVE = (
    "from pyspark.sql import SparkSession;"
    "SparkSession.builder.master('local[1]').config('spark.ui.enabled', 'false').getOrCreate().stop()"
)


@dataclass(frozen=True)
class MavenJars:
    """One set of jars."""

    name: str
    packages: tuple[str, ...]
    """As Maven names them: group, artifact, version."""
    not_needed: tuple[str, ...]
    """What Spark itself contains, or nobody calls."""

    @property
    def folder(self) -> Path:
        """Where they are."""
        return _BUILD / self.name

    def are_there(self) -> bool:
        """Whether they are."""
        names = [jar.name for jar in (self.folder / "jars").glob("*.jar")]
        return all(any(one.partition(":")[2].replace(":", "-") in name for name in names) for one in self.packages)

    def extend_class_path(self) -> str:
        """What goes into SPARK_DIST_CLASSPATH of a process that starts a JVM."""
        before = os.environ.get("SPARK_DIST_CLASSPATH", "")
        return os.pathsep.join(filter(None, [before, str(self.folder / "jars" / "*")]))

    def fetch(self) -> None:
        """Make Spark resolve them, unless they are there."""
        if self.are_there():
            return
        options = f"--packages {','.join(self.packages)} --exclude-packages {','.join(self.not_needed)}"
        options += f" --conf spark.jars.ivy={self.folder} pyspark-shell"
        environ = {name: value for name, value in os.environ.items() if name != "SPARK_SUBMIT_OPTS"}
        subprocess.run([sys.executable, "-c", _RESOLVE], env=environ | {"PYSPARK_SUBMIT_ARGS": options}, check=True)

    @property
    def needed(self) -> pytest.MarkDecorator:
        """Marks tests that are skipped where they are not there."""
        reason = f"no jars of {self.name}: python -m tests.maven_jars {self.name} fetches them"
        return pytest.mark.skipif(not self.are_there(), reason=reason)


KAFKA = MavenJars(
    "kafka",
    (f"org.apache.spark:spark-sql-kafka-0-10_2.13:{pyspark.__version__}",),
    ("org.apache.hadoop:*", "org.slf4j:*", "org.lz4:*", "org.xerial.snappy:*", "com.github.luben:*"),
)
"""Spark's connector for Kafka."""
_HADOOP, _SDK = "3.5.0", "2.35.4"
"""Those of the Hadoop client that pip's pyspark has, and of its own project file."""
S3A = MavenJars(
    "s3a",
    (
        f"org.apache.hadoop:hadoop-aws:{_HADOOP}",
        *(f"software.amazon.awssdk:{one}:{_SDK}" for one in ("s3", "sts", "apache-client", "s3-transfer-manager")),
    ),
    (
        "software.amazon.awssdk:bundle",
        "software.amazon.awssdk:netty-nio-client",
        "io.netty:*",
        "org.slf4j:*",
        "com.fasterxml.jackson.core:*",
    ),
)
"""Hadoop's S3A and what of Amazon's SDK it needs: 14 MB instead of the 600 of the SDK's bundle."""


def fetch_named_jars(names: Sequence[str]) -> None:
    """Resolve the sets of these names."""
    known = {one.name: one for one in (KAFKA, S3A)}
    for name in names:
        known[name].fetch()


if __name__ == "__main__":
    fetch_named_jars(sys.argv[1:])
