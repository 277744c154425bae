"""Rows of many groups -> stage rows, each by the model of its group, in order. Runs on executors.

Rows that come sorted by model need each model once; in any other order they are brought together batch by batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.errors import ModelNotLoaded, PredictError
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host.resident_model import count_evicted_models
from sparkscore.model.runtimes.scorer import to_load_error
from sparkscore.records import NO_MODEL
from sparkscore.schemas import MODEL_LINEAGE, repeat_reject
from sparkscore.scoring.batch_sizer import BatchSizer
from sparkscore.scoring.counted_kernel import build_counted_kernel
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.kernel import Kernel
from sparkscore.scoring.resident_sizers import get_batch_sizer
from sparkscore.scoring.stage_rows import StageRowScorer, first_reject
from sparkscore.scoring.task_errors import mark_task_errors
from sparkscore.scoring.task_models import ending_models
from sparkscore.scoring.travelling_counts import append_counts

PLACE_COLUMN = "_sparkscore_model"
"""Of the rows: where the model of their group stands among those of the run; NULL where there is none."""
_LINEAGE_COLUMN = "_sparkscore_lineage_"
_NO_MODEL_MESSAGE = "the row's group has no model"

Reject = tuple[str, str | None, str]
"""Code, class of the error, message."""


@dataclass(frozen=True, slots=True)
class GroupModel:
    """A model of the run, and what its rows say of it."""

    model: ShippedModel
    lineage: tuple[str, str, str]
    """`MODEL_LINEAGE`: name, version, id."""


@dataclass(frozen=True, slots=True)
class GroupedRowScorer:
    """What a task does with rows of many groups. Pickled into every task."""

    rows: StageRowScorer
    """What holds for the rows of each group; its model stands for all."""
    models: tuple[GroupModel, ...]

    @property
    def counters(self) -> Counters:
        """What counts its work."""
        return self.rows.counters

    @property
    def schema(self) -> pa.Schema:
        """The stage."""
        return self.rows.schema

    @property
    def schema_with_counts(self) -> pa.Schema:
        """The stage and the column of counts."""
        return self.rows.schema_with_counts

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """One stage batch per source batch with rows. A model is loaded at the first of its rows that needs it.

        Needs:   `PLACE_COLUMN` in the batches.
        Raises:  as `StageRowScorer`, but where a model cannot be loaded: then its rows are rejects.
        """
        model, counters, evicted = self.rows.model, self.rows.counters, count_evicted_models()
        sizer = get_batch_sizer(model)
        kernels = _GroupKernels(self, sizer)
        with counters.measure_task(), mark_task_errors(model.secret, sensitive=model.sensitive):
            for batch in batches:
                if batch.num_rows:
                    yield self._score_batch(kernels, batch)
            counters.add_chosen_rows(sizer.chosen_rows)
            counters.add_evictions(count_evicted_models() - evicted)

    def score_task(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same for all rows of a task: at its end each model that it has used hears of it."""
        with ending_models(self.counters):
            yield from self(batches)

    def score_with_counts(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same with the column of counts."""
        return append_counts(self.score_task(batches), self.counters.take_travelling, self.schema_with_counts)

    def _score_batch(self, kernels: "_GroupKernels", batch: pa.RecordBatch) -> pa.RecordBatch:
        places = batch.column(PLACE_COLUMN)
        runs = pc.run_end_encode(places)
        if len(runs.values) == len(pc.unique(places)):
            return self._score_runs(kernels, batch, runs)
        order = pc.sort_indices(places)
        together = batch.take(order)
        scored = self._score_runs(kernels, together, pc.run_end_encode(together.column(PLACE_COLUMN)))
        return scored.take(pc.sort_indices(order))

    def _score_runs(
        self, kernels: "_GroupKernels", batch: pa.RecordBatch, runs: pa.RunEndEncodedArray
    ) -> pa.RecordBatch:
        scored, first = list[pa.RecordBatch](), 0
        for place, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
            scored.append(self._score_run(kernels, batch.slice(first, end - first), place))
            first = end
        return scored[0] if len(scored) == 1 else pa.concat_batches(scored)

    def _score_run(self, kernels: "_GroupKernels", batch: pa.RecordBatch, place: int | None) -> pa.RecordBatch:
        reasons = self.rows.find_rejects(batch)
        if reasons is None or reasons.null_count:
            reject = (NO_MODEL, None, _NO_MODEL_MESSAGE) if place is None else kernels.find_load_failure(place)
            if reject is not None:
                reasons = first_reject(reasons, repeat_reject(batch.num_rows, *reject))
        named = self._add_lineage(batch, place)
        return self.rows.score_judged(kernels.get_kernel(place), [named], [reasons])[0]

    def _add_lineage(self, batch: pa.RecordBatch, place: int | None) -> pa.RecordBatch:
        texts = (None,) * len(MODEL_LINEAGE) if place is None else self.models[place].lineage
        columns = [pa.repeat(pa.scalar(text, pa.string()), batch.num_rows) for text in texts]
        return pa.record_batch(
            [*batch.columns, *columns], [*batch.schema.names, *map(lineage_source_column, MODEL_LINEAGE)]
        )


def lineage_source_column(name: str) -> str:
    """The column of a batch from which the stage gets one of `MODEL_LINEAGE`."""
    return f"{_LINEAGE_COLUMN}{name}"


@dataclass(slots=True)
class _GroupKernels:
    """The kernels of a task. It holds the last one alone: what stays loaded is for `resident_model` to say."""

    scorer: GroupedRowScorer
    sizer: BatchSizer
    last: tuple[int | None, Kernel] | None = None
    failures: dict[int, Reject] = field(default_factory=dict)
    """Of models that could not be loaded: each is tried once by a task."""

    def get_kernel(self, place: int | None) -> Kernel:
        """The kernel of a model; for no place one that gets no row."""
        if self.last is None or self.last[0] != place:
            model = self.scorer.rows.model if place is None else self.scorer.models[place].model
            self.last = (place, build_counted_kernel(model, self.scorer.counters, self.sizer))
        return self.last[1]

    def find_load_failure(self, place: int) -> Reject | None:
        """Load a model; why its rows are rejects, where it cannot be loaded.

        Raises:  what is no fault of the model's: DigestMismatch, TrustRefused, no space, no memory.
        """
        if place in self.failures:
            return self.failures[place]
        try:
            self.get_kernel(place).load()
        except Exception as error:  # noqa: BLE001 - whatever a model raises on loading
            self.failures[place] = self._to_reject(place, error)
            return self.failures[place]
        return None

    def _to_reject(self, place: int, error: Exception) -> Reject:
        failure = to_load_error(error, sensitive=self.scorer.rows.model.sensitive)
        raised = failure.raised if isinstance(failure, ModelNotLoaded) else None
        if type(failure) not in (ModelNotLoaded, PredictError) or raised == MemoryError.__name__:
            raise failure from None
        name, version, _ = self.scorer.models[place].lineage
        return NO_MODEL, raised or None, f"{name} version {version}: {failure.found}"
