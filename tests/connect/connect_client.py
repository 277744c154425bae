"""What a client of Spark Connect does, in a process of its own: no Java on its PATH, nothing but an address of Spark.

Started with a file of steps as JSON; writes what each step told into another file. A step is a verb of the command line
with its arguments, or `score_udf` with a table, a model and a registry.
"""

import json
import os
import shutil
import sys
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


def run_steps() -> None:
    """All steps in one process."""
    steps, told = Path(sys.argv[1]), Path(sys.argv[2])
    if "SPARK_REMOTE" in os.environ and (shutil.which("java") or "JAVA_HOME" in os.environ):
        raise RuntimeError("a client with Java says nothing about one without")
    found = []
    for step in json.loads(steps.read_text()):
        if step[0] == "score_udf":
            found.append(run_udf_step(*step[1:]))
        else:
            found.append(run_verb_step(step, told.with_suffix(".line")))
        told.write_text(json.dumps(found))


if __name__ == "__main__":
    run_steps()
