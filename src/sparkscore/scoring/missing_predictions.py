"""Which predictions lack a part that must be there. Runs on executors."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.model.runtimes.scored_batch import ScoredBatch
from sparkscore.predicates.prediction_masks import missing_predictions_mask
from sparkscore.schemas import build_reject_array
from sparkscore.scoring.reject_bisection import NULL_PREDICTION, REJECT_MESSAGES


def reject_missing_predictions(scored: ScoredBatch, nullable: Collection[str]) -> ScoredBatch:
    """The batch, with a reject instead of each prediction that lacks a part that must be there."""
    mask = missing_predictions_mask(scored.predictions, nullable)
    if scored.rejects is not None:
        mask = pc.and_(mask, scored.rejects.is_null())
    if not pc.any(mask, min_count=0).as_py():
        return scored
    rows = len(mask)
    kept = pc.if_else(mask, pa.scalar(None, pa.int64()), pa.array(np.arange(rows)))
    codes = pc.if_else(mask, pa.scalar(NULL_PREDICTION), pa.scalar(None, pa.string()))
    messages = pc.if_else(mask, pa.scalar(REJECT_MESSAGES[NULL_PREDICTION]), pa.scalar(None, pa.string()))
    rejects = build_reject_array(codes, pa.nulls(rows, pa.string()), messages)
    if scored.rejects is not None:
        rejects = pc.if_else(mask, rejects, scored.rejects)
    return replace(scored, predictions=scored.predictions.take(kept), rejects=rejects)
