"""Logs what was measured, and registers the chosen candidate."""

from dataclasses import replace
from pathlib import Path

from sparkscore.errors import ModelError
from sparkscore.model.registry.faster_versions import log_measurements, register_faster_version
from sparkscore.monitor.mlflow_run import ensure_job_experiment
from sparkscore.monitor.report.optimization import optimization_page
from sparkscore.pipelines.optimization.optimization_run import OptimizationRun
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_pages import report_folder
from sparkscore.records import MeasuredModel
from sparkscore.store.hadoop_folders import write_text_file


def log_optimization(run: OptimizationRun, plan: Plan) -> None:
    """Write the report under the home folder, and log it with the numbers as an MLflow run, whatever was found.

    Raises:  AccessDenied, RegistryUnreachable.
    """
    settings, model = run.settings, plan.model
    page = optimization_page(run.report, settings.optimize.tolerance.model_dump())
    where = f"{report_folder(settings)}/optimize-{model.name}-{model.version}.html"
    write_text_file(run.attempt.spark, where, page)
    run_id = log_measurements(
        run.report,
        page,
        tracking_uri=settings.tracking_uri,
        find_experiment=lambda client: ensure_job_experiment(
            client, settings.job, settings.tracking_uri, settings.home_uri
        ),
    )
    run.report = replace(run.report, report=where, mlflow_run=run_id)


def require_candidate(run: OptimizationRun, plan: Plan) -> None:
    """Go on only with a chosen candidate.

    Raises:  ModelError with the reason of each.
    """
    if run.report.chosen is not None:
        return
    tried = [one for one in run.report.measured if one.status != "parent"]
    raise ModelError(
        f"no candidate takes the place of {plan.model.name} version {plan.model.version}: "
        + "; ".join(f"{one.name}: {_reason(one)}" for one in tried),
        "one within optimize.tolerance, and at least optimize.min_speedup times as fast",
        f"see the report {run.report.report}; if the differences do not matter, raise optimize.tolerance",
    )


def register_chosen_candidate(run: OptimizationRun, plan: Plan, folder: Path) -> None:
    """Register the chosen candidate as the next version of the model; move the alias of `optimize.promote`.

    Raises:  AccessDenied, RegistryUnreachable.
    """
    settings = run.settings
    version = register_faster_version(
        run.report, folder / str(run.report.chosen), plan.model, tracking_uri=settings.tracking_uri
    )
    run.report = replace(run.report, version=version)
    alias = settings.optimize.promote
    if alias is not None:
        from sparkscore.model.registry.faster_versions import move_model_alias

        move_model_alias(plan.model.name, version, alias, tracking_uri=settings.tracking_uri)
        run.report = replace(run.report, promoted=alias)


def _reason(one: MeasuredModel) -> str:
    return one.reason or one.status.replace("_", " ")
