"""What a run asks of its executors, compared with what they have before a row is read."""

from collections.abc import Iterable
from pathlib import Path

from sparkscore.errors import ConfigError
from sparkscore.model.distribution.executor_packages import check_executor_packages
from sparkscore.model.environment.environment_archive import refuse_changed_archives
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.readable_files import check_model_files
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import AcceleratorOptions, PinnedModel
from sparkscore.spark.session_kind import is_connect_session, load_master
from sparkscore.spark.settable_conf import read_setting
from sparkscore.spark.task_profiles import plan_task_profile


def check_executors(attempt: Attempt, plan: Plan) -> None:
    """Refuse what no task can have: resources, options of another runtime, an archive that was changed. Warn of
    packages that the executors lack, or refuse the run, as `model.requirements` says.

    Jobs:    as `check_executor_packages`: none on one machine.
    Raises:  ConfigError, ModelError.
    """
    check_model_files(attempt, plan.model)
    options = attempt.settings.model.accelerator_options
    for runtime in {one.runtime for one in _models_by_requirements(plan)}:
        _refuse_idle_options(options, runtime)
    if not is_connect_session(attempt.spark) and not load_master(attempt.spark).startswith("local"):
        refuse_changed_archives(read_setting(attempt.spark, "spark.archives") or "")
    if attempt.settings.scoring.resources:
        plan_task_profile(attempt.spark, attempt.settings.scoring.resources)
    for model in _models_by_requirements(plan):
        for warning in check_executor_packages(attempt.spark, model, options):
            attempt.warn(warning)


def _models_by_requirements(plan: Plan) -> Iterable[PinnedModel]:
    """The model; of many those that ask for different packages."""
    if plan.groups is None:
        return (plan.model.executed or plan.model,)
    return {(one.runtime, _requirements_text(one)): one for one in plan.groups.pinned}.values()


def _requirements_text(model: PinnedModel) -> str:
    file = Path(model.path, "requirements.txt")
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _refuse_idle_options(accelerator: AcceleratorOptions, runtime: str) -> None:
    """Options of a runtime that does not execute the model would do nothing."""
    idle = {"onnx": ("providers", accelerator.onnx_digest), "torch": ("torch", accelerator.torch_digest)}
    for owner, (setting, wanted) in idle.items():
        if wanted is not None and runtime != owner:
            raise ConfigError(
                f"model.{setting} is set, and the runtime of the model is {runtime}",
                f"the runtime {owner}",
                f"leave model.{setting} out, or log the model so that {owner} executes it (model.runtime)",
            )
