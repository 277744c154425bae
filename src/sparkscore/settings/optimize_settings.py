"""Settings of `optimize-model`: candidates for a faster model, and how far one may be from the model."""

from typing import Literal, get_args

from pydantic import Field, field_validator

from sparkscore.settings.filter_settings import FilterCondition
from sparkscore.settings.frozen_settings import FrozenSettings

CandidateName = Literal["onnx", "onnx-optimized", "onnx-int8", "onnx-static-int8", "onnx-float16", "pruned"]


class OptimizeTolerance(FrozenSettings):
    """How far the predictions of a faster model may be from the model's."""

    max_difference: float = Field(default=1e-4, ge=0, description="greatest difference of a predicted number")
    mean_difference: float = Field(default=1e-5, ge=0, description="greatest mean difference of predicted numbers")
    max_flips: float = Field(default=0.0, ge=0, le=1, description="greatest share of rows with another label")
    max_auc_drop: float = Field(
        default=0.001, ge=0, le=1, description="by how much the ROC AUC may be smaller, where optimize.label is set"
    )


class OptimizeSettings(FrozenSettings):
    """What `optimize-model` tries, measures, and registers. No part of a run's identity."""

    candidates: tuple[CandidateName, ...] = Field(
        default=get_args(CandidateName),
        min_length=1,
        description="what is tried, of onnx, onnx-optimized, onnx-int8, onnx-static-int8, onnx-float16, pruned",
    )
    sample_rows: int = Field(
        default=20_000, ge=1, le=1_000_000, description="rows of the source that each candidate predicts"
    )
    batch_rows: int = Field(default=10_000, ge=1, le=10_000_000, description="rows of a batch while it is measured")
    timeout: float = Field(
        default=3600.0,
        gt=0,
        le=604_800,
        description="seconds that converting the model may take, and measuring it; then the process is ended",
    )
    tolerance: OptimizeTolerance = OptimizeTolerance()
    label: FilterCondition | None = Field(
        default=None,
        description="which rows are positive, for the ROC AUC: {column: late, op: '=', value: 1}; rows without an"
        " answer are left out",
    )
    min_speedup: float = Field(
        default=1.0, ge=0, description="least speed of a candidate, as a multiple of the model's by its own runtime"
    )
    register_best: bool = Field(
        default=True, description="register the fastest candidate within tolerance as a new version of the model"
    )
    promote: str | None = Field(
        default=None, description="alias that names the new version; default: no alias is moved"
    )

    @field_validator("candidates")
    @classmethod
    def _refuse_repeated_candidates(cls, candidates: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(candidates)) < len(candidates):
            raise ValueError("a candidate stands twice in the list")
        return candidates
