"""Makes a registered model faster: candidates in ONNX, measured on rows of the source, registered if they agree."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import SparkSession

from sparkscore.pipelines.optimization.candidate_measuring import build_candidates, measure_candidates
from sparkscore.pipelines.optimization.optimization_run import OptimizationRun
from sparkscore.pipelines.optimization.publication import log_optimization, register_chosen_candidate, require_candidate
from sparkscore.pipelines.optimization.sampling import read_sample
from sparkscore.pipelines.shared.reported_failures import attach_report_to_failures
from sparkscore.records import OptimizationReport
from sparkscore.settings import Settings


def optimize_model(
    spark: SparkSession, settings: Settings, *, as_of: str | datetime | None = None
) -> OptimizationReport:
    """Try the candidates of `optimize.candidates` for the model that the config names; register the best one.

    The new version has the parent's signature, and tags that name the parent. No alias is moved but the one of
    `optimize.promote`. `as_of`: for a source whose version depends on it; default: now.

    Jobs:    one that reads the source for a sample of it. Two processes of this machine load the model: one that
             converts it, one that measures; loading it runs its author's code.
    Raises:  ModelError for a model that cannot be exported, and where no candidate is within `optimize.tolerance`:
             then nothing is registered. ConfigError where the source has no rows. Whatever `score` raises before it
             reads the source.
    """
    run = OptimizationRun.open(spark, settings, as_of or datetime.now(UTC))
    with (
        attach_report_to_failures("optimising the model", run.fail),
        tempfile.TemporaryDirectory(prefix="sparkscore-optimize-") as folder,
    ):
        with run.attempt.phase("pin"):
            plan = run.pin()
        with run.attempt.phase("sample"):
            sample = read_sample(run, plan)
        with run.attempt.phase("convert"):
            candidates = build_candidates(run, plan, sample, Path(folder))
        with run.attempt.phase("measure"):
            measure_candidates(run, plan, sample, candidates, Path(folder))
        with run.attempt.phase("log"):
            log_optimization(run, plan)
        require_candidate(run, plan)
        if settings.optimize.register_best:
            with run.attempt.phase("register"):
                register_chosen_candidate(run, plan, Path(folder))
        return run.finish()
