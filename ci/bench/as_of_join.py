"""The as-of join of three feature tables against the same join written by hand as one Spark query.

    PYTHONPATH=src:ci python -m bench.as_of_join --rows 2000000 --repeats 3          one JSON line per turn, then ratios

Each turn writes its result as a Delta table; turns of all ways alternate. The data lies in a temporary folder, which
is removed.
`--apart`: each table is joined by a column of its own, so that each takes a shuffle of its own in both.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from sparkscore.ingest.features.as_of_join import join_features
from sparkscore.ingest.features.feature_values import FeatureTable
from sparkscore.records import FeatureJoin, RowTimes
from sparkscore.spark.session import start_local_session

TABLES, DAYS, TTL_DAYS = 3, 30, 10
_VALUES = 4
Ways = dict[str, Callable[[], DataFrame]]


def main(arguments: Sequence[str]) -> int:
    """Prints what each turn took, and the median of ours over the medians of the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--values", type=int, default=0, help="of each feature table; default: half of the rows")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--apart", action="store_true")
    parser.add_argument("--explode", action="store_true", help="also a join by key and a row number, which is slow")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="sparkscore-as-of-") as folder:
        spark = start_local_session("as-of-join", master="local[*]")
        spark.conf.set("spark.sql.shuffle.partitions", "16")
        try:
            write_data(spark, folder, options.rows, options.values or options.rows // 2, apart=options.apart)
            return measure(spark, folder, options)
        finally:
            spark.stop()


def write_data(spark: SparkSession, folder: str, rows: int, values: int, *, apart: bool) -> None:
    """Rows with three keys and ten numbers; tables of four numbers by key and time."""
    keys = max(1, rows // 20)
    numbered = [f"pmod(xxhash64(id, {place if apart else 0}), {keys}) AS k{place}" for place in range(TABLES)]
    moment = f"timestamp_seconds(1300000000 + pmod(xxhash64(id, 9), {DAYS * 86400}))"
    numbers = [f"rand({place}) AS x{place}" for place in range(10)]
    spark.range(rows).selectExpr("id", *numbered, f"{moment} AS at", *numbers).write.format("delta").save(
        f"{folder}/rows"
    )
    for place in range(TABLES):
        found = spark.range(values).selectExpr(
            f"pmod(xxhash64(id, {20 + place}), {keys}) AS k",
            f"timestamp_seconds(1300000000 + pmod(xxhash64(id, {30 + place}), {DAYS * 86400})) AS t",
            *(f"rand({100 + place * _VALUES + one}) AS f{place}_{one}" for one in range(_VALUES)),
        )
        found.dropDuplicates(["k", "t"]).write.format("delta").save(f"{folder}/values{place}")


def measure(spark: SparkSession, folder: str, options: argparse.Namespace) -> int:
    """One round to get warm, then the turns."""
    ways: Ways = {"ours": lambda: join_ours(spark, folder), "by hand": lambda: join_by_hand(spark, folder)}
    if options.explode:
        ways["by row number"] = lambda: join_by_row_number(spark, folder)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    sums = set()
    for turn in range(options.repeats + 1):
        for name, join in ways.items():
            begun, busy = time.perf_counter(), read_cpu_seconds(spark)
            join().write.format("delta").mode("overwrite").save(f"{folder}/out")
            taken, used = round(time.perf_counter() - begun, 2), round(read_cpu_seconds(spark) - busy, 2)
            if turn:
                seconds[name].append(taken)
                cpu[name].append(used)
            else:
                sums.add(check_sum(spark, folder))
            print(json.dumps({"turn": turn, "way": name, "seconds": taken, "cpu": used}), flush=True)
    told = {"seconds": compare_medians(seconds), "cpu": compare_medians(cpu)}
    print(json.dumps({"rows": options.rows, **told, "equal": len(sums) == 1}))
    return 0 if len(sums) == 1 else 1


def compare_medians(found: dict[str, list[float]]) -> dict[str, float]:
    """The median of each way, and that of ours over the others'."""
    medians = {name: statistics.median(values) for name, values in found.items()}
    ratios = {f"ours over {name}": round(medians["ours"] / one, 2) for name, one in medians.items() if name != "ours"}
    return {**medians, **ratios}


def read_cpu_seconds(spark: SparkSession) -> float:
    """What the JVM has used: what else the machine does changes it least. Linux alone tells."""
    process = spark.sparkContext._gateway.proc.pid  # noqa: SLF001
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check_sum(spark: SparkSession, folder: str) -> tuple[object, ...]:
    """Equal for equal results."""
    names = [f"f{place}_{one}" for place in range(TABLES) for one in range(_VALUES)]
    rows = spark.read.format("delta").load(f"{folder}/out")
    found = rows.selectExpr("count(*)", *(f"round(sum({name}), 3)" for name in names)).first()
    return tuple(found or ())


def join_ours(spark: SparkSession, folder: str) -> DataFrame:
    """As a run joins; the tables as large ones."""
    tables = []
    for place in range(TABLES):
        columns = tuple((f"f{place}_{one}", f"f{place}_{one}") for one in range(_VALUES))
        join = FeatureJoin("values", ((f"k{place}", "k"),), "t", columns, ttl_us=TTL_DAYS * 86_400_000_000)
        tables.append(FeatureTable(join, spark.read.format("delta").load(f"{folder}/values{place}")))
    return join_features(spark.read.format("delta").load(f"{folder}/rows"), tables, RowTimes("at"))


def join_by_hand(spark: SparkSession, folder: str) -> DataFrame:
    """One query: for each table a union with its values, and the last one before each row."""
    query, carried = f"SELECT * FROM delta.`{folder}/rows`", ""
    for place in range(TABLES):
        names = ", ".join(f"f{place}_{one}" for one in range(_VALUES))
        rows = "id, k0, k1, k2, at, " + ", ".join(f"x{one}" for one in range(10)) + carried
        nothing = ", ".join(
            f"CAST(NULL AS {'BIGINT' if name in ('id', 'k0', 'k1', 'k2') else 'DOUBLE'}) AS {name}"
            if name not in (f"k{place}", "at")
            else ("k" if name != "at" else "t") + f" AS {name}"
            for name in rows.split(", ")
        )
        fresh = ", ".join(
            f"CASE WHEN v.t >= at - INTERVAL {TTL_DAYS} DAYS THEN v.f{place}_{one} END AS f{place}_{one}"
            for one in range(_VALUES)
        )
        query = f"""
            SELECT {rows}, {fresh} FROM (
              SELECT {rows}, kind, last(v, true) OVER (PARTITION BY k{place} ORDER BY at, kind
                     ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS v
              FROM (SELECT {rows}, 1 AS kind, NULL AS v FROM ({query})
                    UNION ALL
                    SELECT {nothing}, 0 AS kind, struct(t, {names}) AS v FROM delta.`{folder}/values{place}`))
            WHERE kind = 1"""
        carried += f", {names}"
    return spark.sql(query)


def join_by_row_number(spark: SparkSession, folder: str) -> DataFrame:
    """One query as one writes it first: a join by key and time, and the newest value of each row."""
    query = f"SELECT * FROM delta.`{folder}/rows`"
    for place in range(TABLES):
        names = ", ".join(f"v.f{place}_{one}" for one in range(_VALUES))
        query = f"""
            SELECT * EXCEPT (place) FROM (
              SELECT r.*, {names}, row_number() OVER (PARTITION BY r.id ORDER BY v.t DESC) AS place
              FROM ({query}) r LEFT JOIN delta.`{folder}/values{place}` v
                ON r.k{place} = v.k AND v.t <= r.at AND v.t >= r.at - INTERVAL {TTL_DAYS} DAYS)
            WHERE place = 1"""
    return spark.sql(query)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
