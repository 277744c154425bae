"""Steps that more than one page takes: the gates' suites, and the source's rows with their predictions."""

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkscore.gate.rules import key_rules, spark_reject
from sparkscore.gate.suite import Suite, check_columns, load_suite
from sparkscore.model.ship import ship
from sparkscore.pipelines.attempt import Attempt
from sparkscore.pipelines.pinning import Plan
from sparkscore.publish.columns import postprocessed
from sparkscore.schemas import LINEAGE
from sparkscore.scoring.pandas_udf import Counters, scored
from sparkscore.settings import Settings


def suites_of(settings: Settings) -> Mapping[str, Suite]:
    """The gates' suites, read before anything else: a broken gate is an error of the config, never of the data."""
    named = {"input": settings.gate.input, "output": settings.gate.output}
    return {gate: load_suite(path) for gate, path in named.items() if path is not None}


def check_suites(suites: Mapping[str, Suite], plan: Plan) -> None:
    """Refuse a suite that names columns which its frame will not have.

    Raises:  ConfigError.
    """
    constant = {column.name for column in LINEAGE}
    staged = [name for name in plan.contract.names if name not in constant]
    columns = {"input": plan.snapshot.columns, "output": staged}
    for gate, suite in suites.items():
        check_columns(suite, columns[gate])


def scored_frame(attempt: Attempt, plan: Plan, source: DataFrame, counters: Counters) -> DataFrame:
    """The source's rows with what the prediction table and the rejects need of them; the model runs when it is read."""
    settings = attempt.settings
    rules = key_rules(settings.source.keys, plan.snapshot.schema)
    marked = source.withColumn("_reject", spark_reject(rules))
    keep = F.col("_reject").isNull() if rules.rules else None
    shipped = ship(attempt.spark, plan.model, params=settings.model.params)
    frame = scored(marked, shipped, columns=plan.model_columns, counters=counters, keep=keep)
    return postprocessed(frame, plan.contract, output=plan.model.output, threshold=settings.output.threshold)
