"""Checks of what executors have told: Python, packages, GPUs, clock, and whether they see the driver's files."""

import sys
from collections.abc import Iterator, Sequence

from sparkscore.model.trust.installed_packages import InstalledPackages
from sparkscore.model.trust.package_requirements import compare_requirements
from sparkscore.pipelines.diagnosis.clock_checks import judge_clock
from sparkscore.pipelines.diagnosis.executor_survey import ExecutorSurvey
from sparkscore.records.diagnosis_records import CheckStatus, EnvironmentCheck

NEEDED_PACKAGES = ("numpy", "pandas", "pyarrow")
"""By every Python worker."""
_PACK = "ship the environment with the job: `sparkscore pack-env`, then --archives and spark.pyspark.python"


def judge_executor_pythons(surveys: Sequence[ExecutorSurvey]) -> EnvironmentCheck:
    """Whether the workers' Pythons are of the driver's version, which Spark insists on."""
    here = ".".join(map(str, sys.version_info[:2]))
    shown = "; ".join(sorted({f"Python {one.python} at {one.executable} on {one.host}" for one in surveys}))
    others = [one for one in surveys if ".".join(one.python.split(".")[:2]) != here]
    if others:
        return EnvironmentCheck("executors' Python", "fail", f"{shown}; the driver has {here}", _PACK)
    return EnvironmentCheck("executors' Python", "ok", shown)


def judge_executor_packages(surveys: Sequence[ExecutorSurvey], driver: InstalledPackages) -> EnvironmentCheck:
    """Whether what every worker needs is there, and of the driver's versions."""
    name, missing, other = "executors' packages", set[str](), set[str]()
    for one in surveys:
        for package in NEEDED_PACKAGES:
            found, own = one.packages.find_version(package), driver.find_version(package)
            if found is None:
                missing.add(f"{package} is missing on {one.host}")
            elif found != own:
                other.add(f"{package} {found} on {one.host}, {own} on the driver")
    if missing:
        return EnvironmentCheck(name, "fail", "; ".join(sorted(missing | other)), _PACK)
    if other:
        return EnvironmentCheck(name, "warn", "; ".join(sorted(other)), _PACK)
    shown = ", ".join(f"{package} {driver.find_version(package)}" for package in NEEDED_PACKAGES)
    return EnvironmentCheck(name, "ok", f"{shown}, as on the driver")


def judge_model_packages(
    lines: Sequence[str], runtime: str, where: Sequence[tuple[str, InstalledPackages]], *, refuses: bool
) -> EnvironmentCheck:
    """Whether the packages that a model was logged with are there: on the executors, else on the driver.

    Needs:   `lines`, of its requirements.txt; `refuses`, whether a run would end.
    """
    name = "model's packages"
    differing = [
        f"{mismatch} on {place}" for place, found in where for mismatch in compare_requirements(lines, runtime, found)
    ]
    if not lines:
        return EnvironmentCheck(name, "ok", "the model names none")
    if differing:
        status: CheckStatus = "fail" if refuses else "warn"
        return EnvironmentCheck(name, status, "; ".join(dict.fromkeys(differing)), _PACK)
    return EnvironmentCheck(name, "ok", f"as the model was logged with, on {', '.join(place for place, _ in where)}")


def judge_executor_clocks(surveys: Sequence[ExecutorSurvey]) -> EnvironmentCheck:
    """The clock that is furthest from the driver's."""
    worst = max(surveys, key=lambda one: abs(one.ahead_s))
    judged = judge_clock("clock of the executors", worst.ahead_s)
    if judged.status == "ok":
        return judged
    return EnvironmentCheck(judged.name, judged.status, f"{worst.host}: {judged.found}", judged.cure)


def judge_shared_files(surveys: Sequence[ExecutorSurvey], folder: str) -> EnvironmentCheck:
    """Whether executors see what the driver writes into a folder of the machine."""
    blind = sorted({one.host for one in surveys if one.sees_file is False})
    if blind:
        return EnvironmentCheck(
            "shared home",
            "fail",
            f"executors on {', '.join(blind)} do not see what the driver writes to {folder}",
            "set home to storage that all machines reach: s3a://…, gs://…, abfss://…, hdfs://…, or a mounted share",
        )
    return EnvironmentCheck("shared home", "ok", f"executors see what the driver writes to {folder}")


def judge_gpus(wanted: Sequence[str], counted: int, configured: str | None) -> EnvironmentCheck:
    """Whether GPUs that the config asks for are there.

    Needs:   `wanted`, the settings that ask for one; `configured`, how many an executor has by Spark's settings.
    """
    if not wanted:
        return EnvironmentCheck("gpu", "ok", f"none asked for; {counted} found" if counted else "none asked for")
    asked = f"{', '.join(wanted)} {'asks' if len(wanted) == 1 else 'ask'} for one"
    if not counted:
        return EnvironmentCheck(
            "gpu",
            "fail",
            f"{asked}, and no device is found",
            "run on machines with a GPU and its driver, or leave it out",
        )
    if "scoring.resources" in wanted and configured is None:
        return EnvironmentCheck(
            "gpu",
            "fail",
            f"{asked}, and spark.executor.resource.gpu.amount is not set",
            "--conf spark.executor.resource.gpu.amount=1, with a discovery script",
        )
    return EnvironmentCheck("gpu", "ok", f"{asked}; {counted} found")


def judge_surveys(surveys: Sequence[ExecutorSurvey], driver: InstalledPackages) -> Iterator[EnvironmentCheck]:
    """What holds with and without a config."""
    yield judge_executor_pythons(surveys)
    yield judge_executor_packages(surveys, driver)
    yield judge_executor_clocks(surveys)
