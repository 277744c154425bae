"""Settings of `compare --promote`: what a challenger has to show before it takes the champion's place."""

from pydantic import Field

from sparkscore.settings.frozen_settings import FrozenSettings


class PromotionSettings(FrozenSettings):
    """What `compare --promote` asks of a challenger; every rule that is set has to hold."""

    metric: str | None = Field(
        default=None,
        description="metric that decides, over the rows with a known truth: roc_auc, log_loss, accuracy, …",
    )
    min_gain: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="by how much the challenger's metric is better, at least",
    )
    confidence: float = Field(
        default=0.95, gt=0.5, lt=1, description="the interval of this confidence of the gain lies above 0"
    )
    min_rows: int = Field(default=1000, ge=1, description="rows with a known truth that both have predicted, at least")
    max_flips: float | None = Field(
        default=None, ge=0, le=1, description="share of the rows with another label, at most"
    )
    max_drift: float | None = Field(
        default=None, ge=0, description="population stability index between the two predictions, at most"
    )
    max_cost_ratio: float | None = Field(
        default=None, gt=0, description="seconds of the challenger for each second of the champion, at most"
    )
    max_segment_loss: float | None = Field(
        default=None, ge=0, description="by how much the metric may be worse in a segment, at most"
    )
    min_segment_rows: int = Field(
        default=100, ge=2, description="segments with fewer rows with a known truth are not judged"
    )
