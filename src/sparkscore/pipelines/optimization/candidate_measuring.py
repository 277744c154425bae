"""Has the candidates made and measured by the optimiser's process, and turns its answers into records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa

from sparkscore.model.distribution.model_shipping import describe_shipped_model
from sparkscore.model.optimise.agreement_measures import LabelRule, measure_agreement, measure_auc
from sparkscore.model.optimise.candidate_choice import ToleranceLimits, judge_candidates
from sparkscore.model.optimise.optimiser_requests import (
    ConversionRequest,
    MeasuringRequest,
    ModelFolder,
    read_arrow_columns,
    write_sample,
)
from sparkscore.model.optimise.optimiser_start import ask_optimiser
from sparkscore.model.registry.model_resolution import PrivateCopy, describe_private_copy
from sparkscore.model.trust.model_digest import compute_model_digest
from sparkscore.pipelines.optimization.optimization_run import OptimizationRun
from sparkscore.pipelines.optimization.sampling import Sample
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.records import MeasuredModel, PinnedModel, Speed
from sparkscore.schemas import PREDICTION_COLUMN

_MEASURING_SECONDS = 20.0
PARENT_PREFIX = "parent, "


@dataclass(frozen=True, slots=True)
class BuiltCandidate:
    """A candidate; without a model where none could be made."""

    record: MeasuredModel
    model: PinnedModel | None = None


def build_candidates(run: OptimizationRun, plan: Plan, sample: Sample, folder: Path) -> tuple[BuiltCandidate, ...]:
    """The candidates that can be made, judged as any model is before it is loaded.

    Raises:  ModelError for a model that cannot be exported.
    """
    write_sample(folder, sample.columns)
    request = ConversionRequest(
        _model_folder("parent", plan.model, run),
        run.library,
        run.settings.optimize.candidates,
        _output_name(plan.model),
        run.report.cores,
    )
    made: Mapping[str, Any] = _ask(run, request, folder)["candidates"]
    return tuple(
        describe_candidate(name, told, plan.model, folder) for name in request.candidates if (told := made.get(name))
    )


def measure_candidates(
    run: OptimizationRun, plan: Plan, sample: Sample, candidates: Sequence[BuiltCandidate], folder: Path
) -> None:
    """Measure the parent, by its own runtime and by MLflow's, and each candidate, all in the same rounds."""
    parents = list_parent_runtimes(plan.model)
    built = [(one.record.name, one.model) for one in candidates if one.model is not None]
    models = tuple(_model_folder(name, model, run) for name, model in (*parents.items(), *built))
    request = MeasuringRequest(models, run.settings.optimize.batch_rows, _MEASURING_SECONDS, run.report.cores)
    answer = _ask(run, request, folder)
    numbers = ModelMeasurements(answer, [one.name for one in models], folder, sample)
    own = next(iter(parents))
    numbers.require(own)
    rule = LabelRule(run.settings.output.threshold)
    measured = [numbers.describe_parent(name, model, own=own) for name, model in parents.items()]
    found = [numbers.describe(one, own=own, rule=rule) for one in candidates]
    judged = judge_candidates(found, _tolerance_limits(run), parent_auc=numbers.auc(own))
    chosen = next((one.name for one in judged if one.status == "chosen"), None)
    run.report = replace(run.report, measured=(*measured, *judged), chosen=chosen)


def _output_name(model: PinnedModel) -> str:
    """The signature's name of the output, where no input has it: values of a graph have one name each."""
    name = model.parts.name or PREDICTION_COLUMN
    return name if name not in {one.name for one in model.inputs} else f"sparkscore_{name}"


def list_parent_runtimes(model: PinnedModel) -> dict[str, PinnedModel]:
    """The parent by its own runtime first, then by pyfunc."""
    named = {f"{PARENT_PREFIX}{model.runtime}": model}
    return {**named, f"{PARENT_PREFIX}pyfunc": replace(model, runtime="pyfunc")}


def _model_folder(name: str, model: PinnedModel, run: OptimizationRun) -> ModelFolder:
    shipped = describe_shipped_model(model, params={})
    return ModelFolder(name, replace(shipped, sensitive=_is_sensitive(run)), model.path)


def _ask(run: OptimizationRun, request: ConversionRequest | MeasuringRequest, folder: Path) -> Mapping[str, Any]:
    return ask_optimiser(request, folder, sensitive=_is_sensitive(run), timeout_s=run.settings.optimize.timeout)


def _is_sensitive(run: OptimizationRun) -> bool:
    return bool(run.settings.source.sensitive)


def describe_candidate(name: str, told: Mapping[str, Any], parent: PinnedModel, folder: Path) -> BuiltCandidate:
    """A candidate of which the optimiser's process says that it was made, or why not; judged by its files."""
    if told["status"] != "made":
        return BuiltCandidate(MeasuredModel(name, told["status"], told["reason"]))
    files = folder / name
    copy = PrivateCopy(parent.name, f"{parent.version}, {name}", compute_model_digest(files), files)
    # the digests that are listed are of models that people have looked at: this one is made of such a model
    trust = replace(parent.trust, digests=None)
    described = describe_private_copy(copy, runtime="onnx", params={}, trust=trust)
    size = sum(file.stat().st_size for file in files.rglob("*") if file.is_file())
    record = MeasuredModel(name, "within_tolerance", told["reason"], bytes=size)
    return BuiltCandidate(record, replace(described, inputs=parent.inputs))


def _tolerance_limits(run: OptimizationRun) -> ToleranceLimits:
    options = run.settings.optimize
    return ToleranceLimits(**options.tolerance.model_dump(), min_speedup=options.min_speedup)


@dataclass(frozen=True, slots=True)
class ModelMeasurements:
    """The answer of the process that measures, by the names of the models that it was asked of."""

    answer: Mapping[str, Any]
    names: Sequence[str]
    folder: Path
    sample: Sample

    def require(self, name: str) -> None:
        """Raise what the parent failed with."""
        if name in self.answer["failures"]:
            from sparkscore.errors import PredictError

            raise PredictError(
                f"the model itself failed on the sample: {self.answer['failures'][name]}",
                "a model that predicts rows of the source",
                "exclude rows that it cannot predict (source.where), and check what it needs",
            )

    def predictions(self, name: str) -> pa.Array:
        """What a model predicted."""
        return read_arrow_columns(self.folder / f"{self.names.index(name)}.arrow")[0]

    def auc(self, name: str) -> float | None:
        """Its area under the ROC curve."""
        return None if self.sample.truth is None else measure_auc(self.predictions(name), self.sample.truth)

    def rates(self, name: str) -> list[float]:
        """Rows per second of each round."""
        return [self.sample.rows / sum(one) for one in self.answer["timings"][name]["rounds"]]

    def speed(self, name: str) -> Speed:
        """How fast it is."""
        told, rates = self.answer["timings"][name], self.rates(name)
        batches = sorted(seconds for one in told["rounds"] for seconds in one)
        return Speed(
            round(told["load"], 4),
            round(median(rates)),
            (round(min(rates)), round(max(rates))),
            round(1e3 * batches[len(batches) // 2], 3),
            round(1e3 * batches[min(len(batches) - 1, int(len(batches) * 0.99))], 3),
        )

    def ratios(self, name: str, base: str) -> list[float]:
        """How many times as fast as another it was in each round."""
        if base not in self.answer["timings"]:
            return []
        return [one / other for one, other in zip(self.rates(name), self.rates(base), strict=True)]

    def describe_parent(self, name: str, model: PinnedModel, *, own: str) -> MeasuredModel:
        """The parent by one of its runtimes."""
        size = sum(file.stat().st_size for file in Path(model.path).rglob("*") if file.is_file())
        what = "by its own runtime" if name == own else "as MLflow's spark_udf runs it"
        failure = self.answer["failures"].get(name)
        if failure is not None:
            return MeasuredModel(name, "parent", f"failed: {failure}", bytes=size)
        rule, truth = LabelRule(), self.sample.truth
        agreement = measure_agreement(self.predictions(own), self.predictions(name), rule=rule, truth=truth)
        record = MeasuredModel(name, "parent", what, bytes=size, agreement=agreement)
        return self._add_speed(record, own)

    def describe(self, one: BuiltCandidate, *, own: str, rule: LabelRule) -> MeasuredModel:
        """A candidate with what was measured of it."""
        name = one.record.name
        if one.model is None:
            return one.record
        if name in self.answer["failures"]:
            return replace(one.record, status="failed", reason=self.answer["failures"][name])
        truth = self.sample.truth
        agreement = measure_agreement(self.predictions(own), self.predictions(name), rule=rule, truth=truth)
        return self._add_speed(replace(one.record, agreement=agreement), own)

    def _add_speed(self, record: MeasuredModel, own: str) -> MeasuredModel:
        ratios = self.ratios(record.name, own)
        beside = self.ratios(record.name, f"{PARENT_PREFIX}pyfunc")
        return replace(
            record,
            speed=self.speed(record.name),
            speedup=round(median(ratios), 3),
            speedup_range=(round(min(ratios), 3), round(max(ratios), 3)),
            speedup_over_pyfunc=round(median(beside), 3) if beside else None,
        )
