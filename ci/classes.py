"""Makes a JVM load what most jobs need: it writes the classes into an archive when it ends.

For ci/setup.sh and ci/test.sh.
"""

import os
import subprocess
import sys
import tempfile

from sparkscore.spark.delta_jars import choose_delta_conf
from sparkscore.spark.session import start_local_session

_RESOLVE = "from sparkscore.spark.session import start_local_session as s; s('jars', master='local[1]').stop()"


def main() -> None:
    """A session that writes a Delta table, merges into it and reads it; before it, one that fetches Delta's jars."""
    if "spark.jars.packages" in choose_delta_conf():  # an archive holds for the class path that it was made with alone
        plain = {name: value for name, value in os.environ.items() if name != "SPARK_SUBMIT_OPTS"}
        subprocess.run([sys.executable, "-c", _RESOLVE], env=plain, check=True)  # noqa: S603 - a text from this file
    spark = start_local_session("classes", master="local[2]")
    with tempfile.TemporaryDirectory() as folder:
        rows = spark.range(10).selectExpr("id", "id % 3 as part", "cast(id as string) as text")
        rows.write.format("delta").partitionBy("part").save(folder)
        rows.createOrReplaceTempView("fresh")
        spark.sql(
            f"MERGE INTO delta.`{folder}` t USING fresh s ON t.id = s.id"
            " WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
        )
        found = spark.read.format("delta").load(folder).groupBy("part").count().orderBy("part")
        found.mapInArrow(lambda batches: batches, found.schema).toArrow()
    jvm = spark.sparkContext._gateway.proc  # noqa: SLF001  there is no public way to wait for its end
    spark.stop()
    jvm.stdin.close()
    jvm.wait(timeout=600)


if __name__ == "__main__":
    sys.exit(main())
