"""Who runs the tasks of a scan: Spark, or the engine that the config names."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparkscore.engines.engine_opening import open_engine, require_engine_package
from sparkscore.errors import ConfigError, ScanUnsupported
from sparkscore.model.distribution.model_shipping import name_model_archive, zip_model_folder
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import EngineOptions, FileScan, ScoringEngine
from sparkscore.settings import Settings


def is_other_engine(settings: Settings) -> bool:
    """Whether another engine than Spark runs the tasks."""
    return settings.scoring.engine != "spark"


def require_engine_fits(attempt: Attempt, plan: Plan, scan: FileScan | None, reason: str) -> None:
    """Refuse what only tasks of Spark can do, before anything is started.

    `reason`: why there is no scan, where there is none.

    Jobs:    none.
    Raises:  ConfigError; ModuleNotFoundError where the engine's package is not installed.
    """
    engine = attempt.settings.scoring.engine
    if engine == "spark":
        return
    require_engine_package(engine)
    if scan is None:
        raise unreadable_source_error(engine, reason)
    if attempt.stage_store(plan.run).location is None:
        raise ConfigError(
            f"scoring.engine {engine}, and only Spark can write to output.stage",
            "a folder for output.stage that every worker can write to",
            "choose one (output.stage), or use scoring.engine: spark",
        )


def unreadable_source_error(engine: str, why: str) -> ConfigError:
    """An engine cannot read the source."""
    return ConfigError(
        f"scoring.engine {engine} reads the files of the source itself, and only Spark can: {why}",
        "a Delta table that the scan reads (docs/scoring.md)",
        "use scoring.engine: spark",
    )


def refuse_scan_fallback(attempt: Attempt, unsure: ScanUnsupported) -> None:
    """What Spark would read after a scan that stopped, another engine does not.

    Raises:  ConfigError.
    """
    if is_other_engine(attempt.settings):
        raise unreadable_source_error(attempt.settings.scoring.engine, unsure.found) from unsure


def choose_engine_options(settings: Settings, cores: int) -> EngineOptions:
    """Where the engine runs tasks. `cores`: as many as Spark uses."""
    asked = settings.engine
    return EngineOptions(asked.address, asked.workers, asked.worker_cpus or 1.0, asked.worker_gpus or 0.0, cores)


@contextmanager
def open_scoring_engine(attempt: Attempt, plan: Plan) -> Iterator[ScoringEngine | None]:
    """The engine, with the model's files at hand, for a block; None: Spark.

    Jobs:    none.
    Raises:  ConfigError, TemporaryError.
    """
    engine = attempt.settings.scoring.engine
    if engine == "spark":
        yield None
        return
    options = choose_engine_options(attempt.settings, attempt.cores)
    executed = plan.model.executed or plan.model
    with tempfile.TemporaryDirectory(prefix="sparkscore-") as folder:
        archive = zip_model_folder(Path(executed.path), Path(folder, name_model_archive(executed)))
        with open_engine(engine, options, [archive]) as opened:
            yield opened
