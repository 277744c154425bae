"""Settings of reasons: the features that contributed most to each prediction."""

from pydantic import Field

from sparkscore.settings.frozen_settings import FrozenSettings

MAX_REASONS = 100


class ReasonsSettings(FrozenSettings):
    """Adds base_value, raw_score and reasons beside each prediction."""

    top: int = Field(
        ge=1, le=MAX_REASONS, description="so many features with the greatest contributions, whatever their sign"
    )
    background: str | None = Field(
        default=None,
        description="a Delta table with the model's inputs, such as its training data: the average of 1,000 of its rows"
        " is the base of a linear model; catalog name, path, or plain name under the home folder; default: the row"
        " whose scaled columns are 0",
    )
