"""What a client of Spark Connect does, in a process of its own: no Java on its PATH, nothing but an address of Spark.

Started with a file of steps as JSON; writes what each step told into another file. A step is a verb of the command line
with its arguments, `score_udf` with a table, a model and a registry, `query` with SQL, or `sessions` with a file.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


def run_verb_step(words: list[str], told: Path) -> dict[str, Any]:
    """A verb as the console runs it: its exit code and its result line."""
    from sparkscore.cli.main import run_verb

    told.unlink(missing_ok=True)
    code = run_verb(words[0], [*words[1:], "--result", str(told)])
    return {"code": code, "result": json.loads(told.read_text())}


def run_udf_step(table: str, uri: str, tracking_uri: str) -> dict[str, Any]:
    """`score_udf` over a table: the positive class's probability by id."""
    from sparkscore import score_udf
    from sparkscore.spark.session import get_job_session

    spark = get_job_session("udf")
    predict = score_udf(spark, uri, tracking_uri=tracking_uri)
    rows = spark.read.format("delta").load(table).select("id", predict("x1", "x2").alias("p")).collect()
    return {str(row["id"]): row["p"][1] for row in rows}


def run_query_step(query: str) -> dict[str, Any]:
    """The rows of a query, in a session of the client."""
    from sparkscore.spark.session import get_job_session

    return {"rows": [row.asDict(recursive=True) for row in get_job_session("query").sql(query).collect()]}


def run_sessions_step(file: str) -> dict[str, list[str]]:
    """After which deeds a run takes the session of the run before it, and which values a setting has in each."""
    from pyspark.sql import SparkSession

    from sparkscore.spark.isolated_session import create_run_session
    from sparkscore.spark.session import get_job_session

    spark = get_job_session("sessions")

    def in_another_thread(_: SparkSession) -> SparkSession:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(create_run_session, spark).result()

    deeds: dict[str, Callable[[SparkSession], object]] = {
        "nothing": lambda _: None,
        "a run in another thread": in_another_thread,
        "a run with other batches": lambda _: create_run_session(spark, batch_rows=7),
        "a setting of its own": lambda kept: kept.conf.set("spark.sql.ansi.enabled", "false"),
        "a setting of the caller": lambda _: spark.conf.set("spark.sql.shuffle.partitions", "7"),
        "a file": lambda _: spark.addArtifacts(file, file=True),
        "its end": lambda kept: kept.client.release_session(),
    }
    same, values = list[str](), set[str]()
    for deed, work in deeds.items():
        kept = create_run_session(spark)
        made = work(kept)
        following = create_run_session(spark)
        same += [deed] if following is kept and made is not kept else []
        values.add(str(following.conf.get("spark.sql.ansi.enabled")))
    return {"same": same, "values": sorted(values)}


def run_steps() -> None:
    """All steps in one process."""
    steps, told = Path(sys.argv[1]), Path(sys.argv[2])
    if "SPARK_REMOTE" in os.environ and (shutil.which("java") or "JAVA_HOME" in os.environ):
        raise RuntimeError("a client with Java says nothing about one without")
    found = []
    for step in json.loads(steps.read_text()):
        if step[0] == "score_udf":
            found.append(run_udf_step(*step[1:]))
        elif step[0] == "sessions":
            found.append(run_sessions_step(*step[1:]))
        elif step[0] == "query":
            found.append(run_query_step(*step[1:]))
        else:
            found.append(run_verb_step(step, told.with_suffix(".line")))
        told.write_text(json.dumps(found))


if __name__ == "__main__":
    run_steps()
