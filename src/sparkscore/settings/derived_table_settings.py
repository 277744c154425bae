"""Settings of the tables that are made of what is published: a queue of cases, and a feature table."""

from pydantic import Field

from sparkscore.settings.frozen_settings import FrozenSettings

QUEUE_EXPORT, FEATURE_TABLE_EXPORT = "output.queue", "output.feature_table"
"""Their names among the exports of a run."""
MAX_QUEUE_ROWS = 1_000_000


class QueueSettings(FrozenSettings):
    """The rows of each as_of that somebody looks at first, in `<table>_queue`."""

    top: int = Field(ge=1, le=MAX_QUEUE_ROWS, description="so many rows of each as_of")
    by: str = Field(
        default="prediction",
        description="column of the prediction table with the probability, or with the rank's number",
    )
    amount: str | None = Field(
        default=None,
        description="column of the prediction table with what is at stake: the queue is ordered by expected_loss = by x"
        " amount; default: ordered by `by`",
    )


class FeatureTableOutputSettings(FrozenSettings):
    """A table of what is published, with the time from when and until when it holds."""

    table: str = Field(description="the feature table: catalog name, path, or plain name under the home folder")
    columns: tuple[str, ...] = Field(
        default=(),
        description="columns of the prediction table that become features; default: all but keys and run columns",
    )
