"""Checks of the engine that runs tasks in the place of Spark: its package, and the cluster that the config names."""

from sparkscore.engines.engine_opening import require_engine_package, try_engine
from sparkscore.errors import SparkscoreError
from sparkscore.pipelines.diagnosis.failure_lines import choose_failure_line
from sparkscore.pipelines.scoring.engine_choice import choose_engine_options, is_other_engine
from sparkscore.records.diagnosis_records import EnvironmentCheck
from sparkscore.settings import Settings


def check_engine(settings: Settings) -> list[EnvironmentCheck]:
    """Whether another engine than Spark is there, and a cluster at an address runs tasks of this driver; [] for Spark.

    Jobs:    none of Spark; a task of the engine's that does nothing.
    """
    if not is_other_engine(settings):
        return []
    name, address = settings.scoring.engine, settings.engine.address
    try:
        require_engine_package(name)
    except ImportError as error:
        cure = f'pip install "sparkscore[{name}]", on the driver and on every worker'
        return [EnvironmentCheck("engine", "fail", choose_failure_line(error), cure)]
    if address is None:
        return [EnvironmentCheck("engine", "ok", f"{name} is installed, and starts on this machine with the run")]
    try:
        slots = try_engine(name, choose_engine_options(settings, cores=1))
    except SparkscoreError as error:
        return [EnvironmentCheck("engine", "fail", error.found, error.do)]
    return [EnvironmentCheck("engine", "ok", f"{name} at {address} runs {slots} tasks at once")]
