"""`doctor`: looks at the environment of a job, part by part, and tells what will fail. Changes nothing."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from sparkscore.errors import ScanUnsupported, SparkscoreError
from sparkscore.model.trust.installed_packages import read_installed_packages
from sparkscore.model.trust.package_requirements import list_required_packages
from sparkscore.pipelines.diagnosis.driver_checks import (
    check_driver_python,
    check_java,
    check_pyspark,
    check_resolved_delta_jars,
)
from sparkscore.pipelines.diagnosis.executor_survey import ExecutorSurvey, survey_executors
from sparkscore.pipelines.diagnosis.failure_lines import choose_failure_line
from sparkscore.pipelines.diagnosis.registry_checks import FoundModel, check_model
from sparkscore.pipelines.diagnosis.storage_checks import check_folder, probe_folder
from sparkscore.pipelines.diagnosis.survey_checks import (
    NEEDED_PACKAGES,
    judge_gpus,
    judge_model_packages,
    judge_shared_files,
    judge_surveys,
)
from sparkscore.records.diagnosis_records import Diagnosis, EnvironmentCheck
from sparkscore.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_GPU_PROVIDERS = ("tensorrt", "cuda", "rocm", "migraphx")
_GPU_AMOUNT = "spark.executor.resource.gpu.amount"


def diagnose(settings: Settings | None, start: "Callable[[], SparkSession] | None") -> Diagnosis:
    """All checks, in the order in which a run needs what they are about.

    Needs:   `start`, what gives the session; None: what Spark alone can tell is left out, in words.
    Jobs:    one, with a few tasks.
    Runs on: driver.
    """
    checks = [check_driver_python()]
    spark, about_spark = _check_spark(start)
    checks += about_spark
    found = FoundModel(())
    if settings is not None and about_spark[1].status == "fail" and spark is None:
        checks.append(EnvironmentCheck("registry and storage", "skip", "not tried without PySpark"))
    elif settings is not None:
        from sparkscore.pipelines.diagnosis.engine_checks import check_engine

        found = check_model(settings)
        checks += found.checks
        checks += _check_storage(spark, settings)
        checks += check_engine(settings)
    checks += _examine_executors(spark, settings, found)
    return Diagnosis(None if settings is None else settings.job, tuple(checks))


def _check_spark(
    start: "Callable[[], SparkSession] | None",
) -> "tuple[SparkSession | None, list[EnvironmentCheck]]":
    package = check_pyspark()
    if start is None or package.status == "fail":
        why = "not asked: --without-spark" if start is None else "PySpark is missing"
        delta = [check_resolved_delta_jars()] if package.status != "fail" else []
        return None, [check_java(), package, *delta, EnvironmentCheck("session", "skip", why)]
    try:
        spark = start()
    except Exception as error:  # noqa: BLE001  whatever is in the way is what people look for
        told = error.found if isinstance(error, SparkscoreError) else choose_failure_line(error)
        cure = error.do if isinstance(error, SparkscoreError) else "correct what the lines of fail above tell, first"
        failed = EnvironmentCheck("session", "fail", f"Spark did not start: {told}", cure)
        return None, [check_java(), package, check_resolved_delta_jars(), failed]
    from sparkscore.pipelines.diagnosis.spark_checks import check_delta_jar, check_session, check_session_java

    return spark, [check_session_java(spark), check_session(spark), check_delta_jar(spark)]


def _check_storage(spark: "SparkSession | None", settings: Settings) -> Iterator[EnvironmentCheck]:
    from sparkscore.pipelines.diagnosis.table_checks import check_output, check_source

    yield from check_folder(spark, "home", settings.home_uri)
    if settings.output.stage is not None:
        yield from check_folder(spark, "stage", settings.stage_uri)
    yield check_source(spark, settings)
    yield check_output(spark, settings)


def _examine_executors(
    spark: "SparkSession | None", settings: Settings | None, found: FoundModel
) -> Iterator[EnvironmentCheck]:
    required = list_required_packages(found.requirements, found.runtime) if found.requirements else ()
    driver = read_installed_packages((*NEEDED_PACKAGES, *required))
    refuses = settings is not None and settings.model.requirements == "refuse"
    surveys: tuple[ExecutorSurvey, ...] = ()
    if spark is None:
        yield EnvironmentCheck("executors", "skip", "only Spark can tell what executors have", "run it by spark-submit")
    else:
        try:
            surveys, shared = _survey(spark, settings, (*NEEDED_PACKAGES, *required))
        except Exception as error:  # noqa: BLE001  a task that fails tells what will fail in a run
            yield EnvironmentCheck(
                "executors", "fail", f"a task failed: {choose_failure_line(error)}", _find_cure(error)
            )
        else:
            yield from judge_surveys(surveys, driver)
            yield from shared
    if found.runtime:
        where = [(f"executors on {one.host}", one.packages) for one in surveys] or [("the driver", driver)]
        yield judge_model_packages(found.requirements, found.runtime, where, refuses=refuses)
    if settings is not None:
        yield _check_gpu(spark, settings, surveys)


def _survey(
    spark: "SparkSession", settings: Settings | None, packages: tuple[str, ...]
) -> tuple[tuple[ExecutorSurvey, ...], list[EnvironmentCheck]]:
    """What executors tell; with a home on this machine, whether they see a file in it, too."""
    with ExitStack() as stack:
        file = None
        if settings is not None and settings.home_uri.startswith("/"):
            try:
                file = stack.enter_context(probe_folder(spark, settings.home_uri)).path
            except (OSError, ScanUnsupported, SparkscoreError):  # the check of the home tells of it
                file = None
        surveys = survey_executors(spark, packages, file)
    if file is None or settings is None:
        return surveys, []
    return surveys, [judge_shared_files(surveys, settings.home_uri)]


def _check_gpu(
    spark: "SparkSession | None", settings: Settings, surveys: tuple[ExecutorSurvey, ...]
) -> EnvironmentCheck:
    wanted = ["scoring.resources"] if "gpu" in settings.scoring.resources else []
    if any(one in _GPU_PROVIDERS for one in settings.model.providers) and not settings.model.provider_fallback:
        wanted.append("model.providers")
    if wanted and not surveys:
        return EnvironmentCheck(
            "gpu", "skip", f"{', '.join(wanted)}: only executors can tell", "run it by spark-submit"
        )
    configured = None if spark is None else spark.conf.get(_GPU_AMOUNT, None)
    return judge_gpus(wanted, sum(one.gpus for one in surveys), configured)


def _find_cure(error: Exception) -> str:
    if "PYTHON_VERSION_MISMATCH" in str(error):
        return "give executors the driver's Python: spark.pyspark.python, or `sparkscore pack-env`"
    if "No module named" in str(error):
        return "ship the package with the job: ./spark-submit.sh does; or `sparkscore pack-env`"
    return "look at the executors' logs; run it again with --debug"
