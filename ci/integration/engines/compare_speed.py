"""How long the same run takes with Spark, Ray and Dask, one after the other, several times over: a JSON line each.

    PYTHONPATH=src:.:PACKAGES python ci/integration/engines/compare_speed.py FOLDER [ROWS [ROUNDS [TREES]]]

PACKAGES is the site-packages of build/integration/engines. FOLDER is made, and left. TREES: of a forest that takes the
place of the logistic regression; 0 keeps that. A round before the others warms the caches. The last lines are the
ratios to Spark of the same round: the median, the least and the greatest.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path
from threading import Event, Thread

import mlflow
import numpy as np
from mlflow.models import infer_signature
from pyspark.sql import functions as F
from sklearn.ensemble import RandomForestRegressor
from tests.small_session import start_small_session
from tests.world import AS_OF, World, registry_in, source_rows, tracking

from sparkscore import score
from sparkscore.cli.verb_output import log_to_stderr

ENGINES = ("spark", "ray", "dask")
_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_S = 0.2


class ProcessorTime:
    """Seconds of CPU of this process and all that it has started, whether they have ended or not."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], int] = {}
        self._is_over = Event()
        Thread(target=self._follow, daemon=True).start()

    def seconds(self) -> float:
        """Since the beginning; what a process did in its last 0.2 s may be missing."""
        self._look()
        return sum(self._known.values()) / _TICKS

    def _follow(self) -> None:
        while not self._is_over.wait(_LOOK_S):
            self._look()

    def _look(self) -> None:
        found: dict[int, tuple[int, int, int]] = {}
        for file in Path("/proc").glob("[0-9]*/stat"):
            try:
                text = file.read_text(errors="replace")
            except OSError:
                continue
            fields = text.rpartition(")")[2].split()  # from the third field on
            found[int(file.parent.name)] = int(fields[1]), int(fields[19]), int(fields[11]) + int(fields[12])
        known = {process for process, _ in self._known} | {os.getpid()}
        for process in sorted(found):  # parents are older, as a rule; the others are found at the next look
            parent, started, ticks = found[process]
            if process in known or parent in known:
                known.add(process)
                self._known[process, started] = ticks


def main(folder: str, rows: str = "1000000", rounds: str = "3", trees: str = "0") -> None:
    """Measure."""
    log_to_stderr()
    home = Path(folder)
    home.mkdir(parents=True)
    spark, spent = start_small_session("speed", master="local[2]"), ProcessorTime()
    try:
        world = World(spark, home, registry_in(home))
        model = register_forest(world.registry.uri, int(trees)) if int(trees) else "models:/late@champion"
        ids = spark.range(int(rows)).withColumn("carrier", F.when(F.col("id") % 2 == 0, "AA").otherwise("UA"))
        source = ids.withColumn("x1", F.sin("id")).withColumn("x2", F.cos(F.col("id") * 1.7))
        source.repartition(8).write.format("delta").save(world.path("flights"))
        told = [
            measure_run(world, spent, engine=engine, number=number, model=model)
            for number in range(int(rounds) + 1)
            for engine in np.roll(ENGINES, -number).tolist()
        ]
        print_ratios(told[len(ENGINES) :])
    finally:
        spark.stop()


def register_forest(uri: str, trees: int) -> str:
    """The URI of a model whose rows take long."""
    frame = source_rows(500).to_pandas()[["x1", "x2"]]
    model = RandomForestRegressor(trees, max_depth=8, random_state=0, n_jobs=1).fit(frame, frame["x1"] * frame["x2"])
    with tracking(uri):
        mlflow.sklearn.log_model(
            model,
            name="forest",
            signature=infer_signature(frame, model.predict(frame)),
            registered_model_name="forest",
            pip_requirements=[],
        )
    return "models:/forest/1"


def measure_run(world: World, spent: ProcessorTime, *, engine: str, number: int, model: str) -> dict[str, object]:
    """One run, as a line that is printed."""
    settings = world.settings(
        job=f"{engine}-{number}",
        model={"uri": model},
        scoring={"engine": engine},
        output={"table": f"by_{engine}_{number}", "threshold": 0.5},
    )
    started, before = time.monotonic(), spent.seconds()
    report = score(world.spark, settings, as_of=AS_OF)
    line = {
        "round": number,
        "engine": engine,
        "seconds": round(time.monotonic() - started, 2),
        "cpu_seconds": round(spent.seconds() - before, 2),
        "score_and_stage": round(report.seconds["score_and_stage"], 2),
        "rows": report.rows_scored,
        "loads": report.model_loads,
        "load_average": round(os.getloadavg()[0], 1),
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    return line


def print_ratios(told: list[dict[str, object]]) -> None:
    """Of each other engine to Spark in the same round."""
    by_round = {(one["round"], one["engine"]): one for one in told}
    for engine in ENGINES[1:]:
        for what in ("seconds", "cpu_seconds", "score_and_stage"):
            ratios = [
                float(str(by_round[number, engine][what])) / float(str(by_round[number, "spark"][what]))
                for number in sorted({one["round"] for one in told}, key=str)
            ]
            median, least, most = statistics.median(ratios), min(ratios), max(ratios)
            sys.stdout.write(f"{engine} {what}: {median:.2f} ({least:.2f} to {most:.2f}) times Spark's\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
