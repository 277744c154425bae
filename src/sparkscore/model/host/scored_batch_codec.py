"""What a scorer returns as an Arrow batch, to send it from the model process to a worker."""

import json

import pyarrow as pa

from sparkscore.model.runtimes.scored_batch import NO_COUNTS, ScoredBatch
from sparkscore.schemas import PREDICTION_COLUMN, REJECT_COLUMN

_COUNTS_KEY = b"counts"


def encode_scored_batch(scored: ScoredBatch) -> pa.RecordBatch:
    """Predictions, rejects where there are any, and counts as metadata where there are any."""
    arrays = [scored.predictions] if scored.rejects is None else [scored.predictions, scored.rejects]
    names = [PREDICTION_COLUMN, REJECT_COLUMN][: len(arrays)]
    metadata = {_COUNTS_KEY: json.dumps(dict(scored.counts)).encode()} if scored.counts else None
    return pa.record_batch(arrays, names, metadata=metadata)


def decode_scored_batch(batch: pa.RecordBatch) -> ScoredBatch:
    """What `encode_scored_batch` has encoded."""
    metadata = batch.schema.metadata
    counts = json.loads(metadata[_COUNTS_KEY]) if metadata and _COUNTS_KEY in metadata else NO_COUNTS
    return ScoredBatch(batch.column(0), batch.column(1) if batch.num_columns > 1 else None, counts)
