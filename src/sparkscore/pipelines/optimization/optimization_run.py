"""One call of `optimize-model`: its pins, its report, its warnings."""

import os
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.util import find_spec

import structlog
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, ErrorSummary, ModelError, SparkscoreError
from sparkscore.lifecycle import Decision
from sparkscore.model.optimise.model_parents import check_parent_library
from sparkscore.model.registry.model_uri import LoggedModelUri, parse_model_uri, require_mlflow_model
from sparkscore.model.trust.mlmodel_file import read_mlmodel
from sparkscore.pipelines.shared.model_pinning import choose_copies_folder, refuse_model_groups
from sparkscore.pipelines.shared.pinning import Plan, pin_run
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import OptimizationReport, OptimizationStatus, ReportedModel, ReportedSource
from sparkscore.settings import Settings

log = structlog.get_logger("sparkscore")

_CONVERTERS = {"scikit-learn": "skl2onnx", "LightGBM": "onnxmltools", "XGBoost": "onnxmltools"}
_KEPT_WARNINGS = 50


def refuse_other_models(settings: Settings) -> None:
    """Refuse a model of which no faster version can be made, by what the config says of it.

    Raises:  ConfigError.
    """
    refuse_model_groups(settings, "optimize-model")
    if settings.model.params:
        raise ConfigError(
            "model.params are set, and a graph of ONNX takes none",
            "a model that is called without params",
            "log it with the params as its defaults",
        )
    if settings.optimize.register_best:
        require_mlflow_model(
            parse_model_uri(settings.model.uri),
            "optimize.register_best registers a version in MLflow",
            "set optimize.register_best to false: the model is measured alone",
        )
    if settings.optimize.register_best and isinstance(parse_model_uri(settings.model.uri), LoggedModelUri):
        raise ConfigError(
            f"model.uri is {settings.model.uri}, which no registry names: it can have no new version",
            "models:/<name>@<alias> or models:/<name>/<version>",
            "register the model first; or set optimize.register_best to false, and it is measured alone",
        )


@dataclass
class OptimizationRun:
    """`report` is replaced as values become known; an error carries it to the entry point."""

    attempt: Attempt
    settings: Settings
    report: OptimizationReport
    library: str = ""
    """Whose model it is."""

    @classmethod
    def open(cls, spark: SparkSession, settings: Settings, as_of: str | datetime) -> "OptimizationRun":
        """A call in a session of its own. Nothing is written.

        Raises:  NameRefused, ConfigError.
        """
        refuse_other_models(settings)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        report = OptimizationReport(settings.job, "failed", batch_rows=settings.optimize.batch_rows, cores=cores)
        plain = settings.model_copy(update={"reasons": None})  # of predictions alone
        return cls(Attempt.open(spark, plain, as_of), settings, report)

    def pin(self) -> Plan:
        """The model and the source, pinned as for a run; nothing of the model is loaded.

        Raises:  as `pin_run`; ModelError for a model of another library, and where optional inputs are absent;
                 ModuleNotFoundError where the packages that convert it are not installed.
        """
        folder = choose_copies_folder(self.attempt)
        plan = pin_run(self.attempt, Decision("work", 1, 1), copies=folder, landing="never", knows_past=False)
        model, snapshot = plan.model, plan.snapshot
        source = ReportedSource(snapshot.table.name, snapshot.version, self.settings.source.format)
        parent = ReportedModel(model.name, model.version, model.model_id, model.digest)
        warnings = self.attempt.report.warnings[:_KEPT_WARNINGS]
        self.report = replace(self.report, parent=parent, source=source, warnings=warnings)
        flavors = read_mlmodel(model.path, model.trust)["flavors"]
        self.library = check_parent_library(str(flavors["python_function"].get("loader_module", "")))
        if any(column is None for column in plan.model_columns):
            raise ModelError(
                "the source lacks optional inputs of the model",
                "a column for each input: a graph of ONNX has no optional ones",
                "set model.missing to a value for each of them, or optimise on a source that has them",
            )
        self._require_packages()
        return plan

    def _require_packages(self) -> None:
        for name in ("onnx", "onnxruntime", _CONVERTERS.get(self.library, "onnx")):
            if find_spec(name) is None:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    def fail(self, error: SparkscoreError) -> OptimizationReport:
        """The report of a call that ended with an error: what was measured until then."""
        summary = ErrorSummary.from_error(error)
        self.report = replace(
            self.report, status="failed", exit_code=error.exit_code, error=summary, seconds=self.attempt.elapsed_seconds
        )
        return self.report

    def finish(self) -> OptimizationReport:
        """The report of a call that ended without an error."""
        status: OptimizationStatus = "measured" if self.report.version is None else "registered"
        self.report = replace(self.report, status=status, seconds=self.attempt.elapsed_seconds)
        return self.report
