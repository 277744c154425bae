"""What a language model in the executors' own process needs of a job, checked before a row is read."""

from importlib.util import find_spec

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.model.trust.mlmodel_file import needs_executor_residency, read_mlmodel
from sparkscore.records import PinnedModel
from sparkscore.spark.session_kind import is_connect_session, load_master


def check_engine_model(spark: SparkSession, model: PinnedModel, residency: str) -> None:
    """Refuse a job that would load a model once per worker which there has to be once per executor, and one whose
    executors, in this very process' Python, lack vLLM. Nothing for other models.

    Jobs:    none.
    Raises:  ConfigError.
    """
    if not needs_executor_residency(model.described or read_mlmodel(model.path, model.trust)):
        return
    if residency != "executor":
        raise ConfigError(
            f"the model {model.name} is an engine that fills a device's memory, and model.residency is {residency}",
            "one engine per executor",
            "set model.residency to executor",
        )
    if _runs_here(spark) and find_spec("vllm") is None:
        raise ConfigError(
            "vllm is not installed, and the executors run in this environment",
            "the extra vllm of sparkscore",
            'pip install "sparkscore[vllm]"',
        )


def _runs_here(spark: SparkSession) -> bool:
    return not is_connect_session(spark) and load_master(spark).startswith("local")
