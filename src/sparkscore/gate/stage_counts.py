"""What the tasks that write a stage count of it, for the gate that is always on. Runs on executors, but for judging."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

import pyarrow as pa

from sparkscore.predicates.prediction_masks import missing_predictions_mask
from sparkscore.records import json_digest
from sparkscore.schemas import PREDICTION_COLUMN, REJECT_COLUMN
from sparkscore.stage.output_columns import other_probabilities_mask, to_probability


@dataclass(slots=True)
class StageCounts:
    """Rows of a stage, or of a part of it."""

    rows: int = 0
    scored: int = 0
    missing: int = 0
    """Scored rows that lack a part of their prediction that must be there."""
    other_probabilities: int = 0
    """Scored rows of which no threshold can say anything: lists of neither one nor two numbers."""

    def add(self, other: "StageCounts") -> None:
        """Take further rows into account."""
        self.rows += other.rows
        self.scored += other.scored
        self.missing += other.missing
        self.other_probabilities += other.other_probabilities


@dataclass(frozen=True, slots=True)
class StageCountSummary:
    """Counts the rows of a stage: a `RowSummary`."""

    nullable: tuple[str, ...]
    """Paths of the parts of a prediction that may be NULL, ascending."""
    has_threshold: bool = False
    """Predictions are published as probabilities."""
    name: str = "stage_integrity"
    columns: tuple[str, ...] = (PREDICTION_COLUMN, REJECT_COLUMN)

    @property
    def fingerprint(self) -> str:
        """Of what is counted, and how."""
        return json_digest([1, self.nullable, self.has_threshold])

    def start(self) -> "StageCountState":
        """A state without rows. Runs on: executor."""
        return StageCountState(self)


@dataclass(slots=True)
class StageCountState:
    """The counts of some rows."""

    summary: StageCountSummary
    counts: StageCounts = field(default_factory=StageCounts)

    def add(self, batch: pa.RecordBatch) -> None:
        """Count rows of the stage, rejected ones too."""
        rejects = batch.column(REJECT_COLUMN)
        scored = batch.column(PREDICTION_COLUMN)
        if rejects.null_count < batch.num_rows:
            scored = scored.filter(rejects.is_null())
        other = other_probabilities_mask(scored) if self.summary.has_threshold else None
        published = to_probability(scored) if self.summary.has_threshold else scored
        missing = missing_predictions_mask(published, self.summary.nullable)
        self.counts.add(
            StageCounts(batch.num_rows, len(scored), missing.true_count, 0 if other is None else other.true_count)
        )

    def to_bytes(self) -> bytes:
        """The counts."""
        return json.dumps(asdict(self.counts)).encode()


def merge_stage_counts(states: Iterable[bytes]) -> StageCounts:
    """The counts of all parts together. Runs on the driver."""
    merged = StageCounts()
    for state in states:
        merged.add(StageCounts(**json.loads(state)))
    return merged
