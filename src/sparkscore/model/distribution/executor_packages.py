"""Compares a model's requirements with the packages of the executors, before a run reads a row. Runs on the driver."""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pyarrow as pa
from pyspark.sql import SparkSession

from sparkscore.model.runtimes.onnx.execution_providers import check_available_providers, list_available_providers
from sparkscore.model.trust.installed_packages import InstalledPackages, read_installed_packages
from sparkscore.model.trust.package_requirements import (
    compare_requirements,
    find_logged_python,
    find_requirement_mismatches,
    has_pickles,
    list_required_packages,
    read_requirement_lines,
    requirement_mismatch_error,
)
from sparkscore.records import DEFAULT_ACCELERATOR, AcceleratorOptions, PinnedModel
from sparkscore.spark.background_job import run_in_background
from sparkscore.spark.session_kind import application_of, is_connect_session, load_master

_LONGEST_TRIAL_S = 120.0
_SURVEYS: WeakKeyDictionary[Any, dict[tuple["PackageTrial", str | None], Mapping[str, Any]]] = WeakKeyDictionary()
"""What an executor has told, per application: packages do not change as long as it runs."""
_ADVICE = (
    "ship its environment with the job (`sparkscore pack-env`), install the packages on the executors, or set"
    " model.requirements to ignore"
)


def check_executor_packages(
    spark: SparkSession, model: PinnedModel, accelerator: AcceleratorOptions = DEFAULT_ACCELERATOR
) -> tuple[str, ...]:
    """What to warn of where the executors have other packages than the model was logged with, or lack execution
    providers that were asked for.

    Jobs:    one task that tells what an executor has, once per application; none where the executors' Python is this
             process's, or the model requires no package.
    Runs on: driver.
    Raises:  ModelError where `model.requirements` is refuse, and packages differ; for a provider that is missing.
    """
    compares = model.trust.requirements != "ignore"
    lines = read_requirement_lines(model.path) if compares else ()
    trial = PackageTrial(list_required_packages(lines, model.runtime), bool(accelerator.providers))
    warnings = _compare_pythons(model) if compares else ()
    if not trial.names and not trial.wants_providers:
        return warnings
    try:
        survey = _ask_executor(spark, trial)
    except Exception as error:  # noqa: BLE001  what is in the way of a task stops the run where it matters
        unknown = f"what packages the executors have is not known: the task that tells it ended with {_name(error)}"
        return (*warnings, unknown)
    found = compare_requirements(lines, model.runtime, InstalledPackages.from_dict(survey["packages"]))
    if found and model.trust.requirements == "refuse":
        raise requirement_mismatch_error(found, "the executors' Python")
    providers = survey["providers"]
    warnings += (_mismatch_warning(found),) if found else ()
    return warnings if providers is None else (*warnings, *check_available_providers(providers, accelerator))


def _compare_pythons(model: PinnedModel) -> tuple[str, ...]:
    """Spark wants the same Python in its workers as on the driver: nobody has to be asked."""
    logged, here = find_logged_python(model.path), ".".join(map(str, sys.version_info[:2]))
    if logged in (None, here) or not has_pickles(model.path):
        return ()
    return (f"the model was logged with Python {logged}, and Python {here} runs it: what it pickled may not load",)


def compare_own_packages(model: PinnedModel) -> tuple[str, ...]:
    """What to warn of where this process has other packages than the model was logged with. Asks no executor.

    Raises:  ModelError where `model.requirements` is refuse, and packages differ.
    """
    ignores = model.trust.requirements == "ignore"
    found = () if ignores else find_requirement_mismatches(model.path, model.runtime)
    if found and model.trust.requirements == "refuse":
        raise requirement_mismatch_error(found, "the driver")
    return (_mismatch_warning(found),) if found else ()


def is_executors_python(spark: SparkSession) -> bool:
    """Whether the executors run the very Python that runs this process: on this machine, from the same environment."""
    if is_connect_session(spark) or not load_master(spark).startswith("local"):
        return False
    named = shutil.which(str(spark.sparkContext.pythonExec))
    return named is not None and _locate_python(named) == _locate_python(sys.executable)


def _locate_python(path: str) -> tuple[Path, Path]:
    """An environment's folder, and its Python without links: python and python3 of one environment are one."""
    return Path(path).parent.resolve(), Path(path).resolve()


def _ask_executor(spark: SparkSession, trial: "PackageTrial") -> Mapping[str, Any]:
    if is_executors_python(spark):
        return trial.survey_python()
    application = application_of(spark)
    known, key = _SURVEYS.setdefault(application, {}), (trial, getattr(application, "pythonExec", None))
    if key not in known:
        known[key] = _survey_executor(spark, trial)
    return known[key]


def _survey_executor(spark: SparkSession, trial: "PackageTrial") -> Mapping[str, Any]:
    frame = spark.range(0, 1, 1, 1).mapInArrow(trial, "survey string")
    with run_in_background(spark, frame.collect) as job:
        survey: Mapping[str, Any] = json.loads(job.result(seconds=_LONGEST_TRIAL_S)[0]["survey"])
    return survey


@dataclass(frozen=True, slots=True)
class PackageTrial:
    """A task that tells what its Python has. Runs on: executor."""

    names: tuple[str, ...]
    """Of packages."""
    wants_providers: bool
    """Whether it tells onnxruntime's execution providers, too: that imports it."""

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """One row with the survey, as JSON."""
        for _ in batches:
            yield pa.RecordBatch.from_pydict({"survey": [json.dumps(self.survey_python())]})

    def survey_python(self) -> Mapping[str, Any]:
        """The packages, and the providers; None where they are not asked for, or there is no onnxruntime."""
        providers = list_available_providers() if self.wants_providers else None
        return {"packages": asdict(read_installed_packages(self.names)), "providers": providers}


def _mismatch_warning(found: tuple[str, ...]) -> str:
    return f"the model was logged with other packages: {'; '.join(found)}; {_ADVICE}"


def _name(error: Exception) -> str:
    return type(error).__name__
