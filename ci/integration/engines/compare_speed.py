"""How long the same run takes with Spark, Ray and Dask, one after the other, several times over: a JSON line each.

    PYTHONPATH=src:.:PACKAGES python ci/integration/engines/compare_speed.py FOLDER [ROWS [ROUNDS]]

PACKAGES is the site-packages of build/integration/engines. FOLDER is made, and left.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from pyspark.sql import functions as F
from tests.small_session import start_small_session
from tests.world import AS_OF, World, registry_in

from sparkscore import score

ENGINES = ("spark", "ray", "dask")


def main(folder: str, rows: str = "1000000", rounds: str = "3") -> None:
    """Measure."""
    home = Path(folder)
    home.mkdir(parents=True)
    spark = start_small_session("speed", master="local[2]")
    try:
        world = World(spark, home, registry_in(home))
        ids = spark.range(int(rows)).withColumn("carrier", F.when(F.col("id") % 2 == 0, "AA").otherwise("UA"))
        source = ids.withColumn("x1", F.sin("id")).withColumn("x2", F.cos(F.col("id") * 1.7))
        source.repartition(8).write.format("delta").save(world.path("flights"))
        for number in range(int(rounds)):
            for engine in np.roll(ENGINES, -number).tolist():
                settings = world.settings(
                    job=f"{engine}-{number}",
                    scoring={"engine": engine},
                    output={"table": f"by_{engine}_{number}", "threshold": 0.5},
                )
                started = time.monotonic()
                report = score(spark, settings, as_of=AS_OF)
                line = {
                    "engine": engine,
                    "seconds": round(time.monotonic() - started, 1),
                    "score_and_stage": round(report.seconds["score_and_stage"], 1),
                    "rows": report.rows_scored,
                    "loads": report.model_loads,
                    "load_average": round(os.getloadavg()[0], 1),
                }
                sys.stdout.write(json.dumps(line) + "\n")
                sys.stdout.flush()
    finally:
        spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
