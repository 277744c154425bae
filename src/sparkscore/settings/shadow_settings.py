"""Settings of `score --shadow`: what is compared with production's predictions, and how far they may be from them."""

from pydantic import Field

from sparkscore.settings.frozen_settings import FrozenSettings


class ShadowSettings(FrozenSettings):
    """What `score --shadow` compares; a limit that is exceeded makes it end with 5. No part of a run's identity."""

    against: str | None = Field(
        default=None,
        description="production's prediction table, where output.table is another one, as in an overlay of staging",
    )
    max_changed: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share of the rows with another label, or without labels another prediction, at most",
    )
    max_difference: float | None = Field(
        default=None, ge=0, description="mean absolute difference between the predictions of a row, at most"
    )
    max_missing: float | None = Field(
        default=None, ge=0, le=1, description="share of production's rows that the shadow has not scored, at most"
    )
