"""Settings of the source: its table, its keys, its filter, and how a source without versions is read."""

import warnings
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from sparkscore.records import MICRO_BATCH_FORMAT, MICRO_BATCH_TEXT_FORMAT, json_digest
from sparkscore.redaction.known_secrets import is_secret_name, register_named_secrets
from sparkscore.redaction.uri_credentials import has_uri_credentials
from sparkscore.settings.change_settings import ChangeSettings
from sparkscore.settings.feature_settings import FeatureTableSettings, TimeZoneName, find_feature_problems
from sparkscore.settings.filter_settings import FilterCondition

DELTA_FORMAT = "delta"
"""The one format whose tables have versions: a run reads them where they are."""
KAFKA_FORMAT = "kafka"
"""The format whose records are text in JSON: `source.schema` says what is in them."""
# pydantic has a deprecated method of that name
warnings.filterwarnings("ignore", message='Field name "schema" in "SourceSettings"')
_OWN_OPTIONS = (
    "path",
    "paths",
    "dbtable",
    "query",
    "table",
    "customschema",
    "inferschema",
    "enforceschema",
    "columnnameofcorruptrecord",
    "badrecordspath",
    "ignorecorruptfiles",
    "ignoremissingfiles",
    "mode",
)
"""What `source.table`, `source.schema` and the landing say, and what would lose rows; in lower case."""
_TUNING_OPTIONS = (
    "numpartitions",
    "partitioncolumn",
    "lowerbound",
    "upperbound",
    "fetchsize",
    "querytimeout",
    "user",
    "driver",
)
"""Options that change how, or as whom, rows are read, and not which."""


class SourceSettings(ChangeSettings):
    """What is scored."""

    table: str = Field(
        description="the table to score: catalog name, path, or plain name (a table under the home folder)"
    )
    format: str = Field(
        default=DELTA_FORMAT,
        pattern=r"^[A-Za-z][A-Za-z0-9._-]{0,127}$",
        description="what the source is: delta, parquet, csv, json, orc, jdbc, view (a view, or a table of the catalog"
        " that is not Delta), or any format that Spark knows; all but delta are landed first, once per as_of",
    )
    options: dict[str, bool | int | float | str] = Field(
        default_factory=dict,
        repr=False,
        description='options of Spark\'s reader for a format other than delta: {sep: ";"}, {url: "jdbc:…", user: me}',
    )
    schema: str | None = Field(  # type: ignore[assignment]
        default=None,
        description="the columns and types of a format other than delta, as DDL: id bigint, x1 double; default: those"
        " that the first as_of has, kept for later ones",
    )
    keys: tuple[str, ...] = Field(min_length=1, description="columns whose values identify a row")
    version: Annotated[int, Field(ge=0)] | Literal["latest", "as_of"] = Field(
        default="latest", description="Delta version: latest, an integer, or as_of (the newest version at that time)"
    )
    where: tuple[FilterCondition, ...] = Field(default=(), description='filter: [{column: month, op: ">=", value: 10}]')
    passthrough: tuple[str, ...] = Field(default=(), description="source columns to copy next to each prediction")
    sensitive: tuple[str, ...] = Field(
        default=(), description="columns whose values appear in no reject, log, error or report"
    )
    features: tuple[FeatureTableSettings, ...] = Field(
        default=(),
        max_length=31,
        description="feature tables whose values are joined to the rows as of their times: [{table: weather,"
        " keys: {origin: airport}, time: observed_at, ttl: 3h, columns: [temp, wind]}]",
    )
    event_time: str | None = Field(
        default=None, description="column with each row's time for source.features; default: the as_of, for all rows"
    )
    event_timezone: TimeZoneName | None = Field(
        default=None,
        description="time zone of event_time if it is of the type timestamp_ntz or date; default: UTC for dates, and a"
        " timestamp_ntz is refused",
    )

    @field_validator("keys", "passthrough", "sensitive")
    @classmethod
    def _refuse_repeated_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"named twice: {', '.join(repeated)}")
        return names

    @model_validator(mode="after")
    def _refuse_keys_in_passthrough(self) -> Self:
        both = sorted(set(self.keys) & set(self.passthrough))
        if both:
            raise ValueError(f"keys are always in the prediction table; remove from passthrough: {', '.join(both)}")
        return self

    @model_validator(mode="after")
    def _check_features(self) -> Self:
        problems = find_feature_problems(self.features, self.event_time, self.event_timezone)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @field_validator("options")
    @classmethod
    def _check_options(cls, options: dict[str, bool | int | float | str]) -> dict[str, bool | int | float | str]:
        register_named_secrets(options)
        own = sorted(name for name in options if name.lower() in _OWN_OPTIONS)
        if own:
            raise ValueError(
                f"not an option of its own: {', '.join(own)}; source.table names what is read, source.schema its"
                " columns, and what is no record is always kept as a reject"
            )
        if any(has_uri_credentials(text) for text in options.values() if isinstance(text, str)):
            raise ValueError(
                "a URI with credentials in it, which is not shown; give user and password as options of their own"
            )
        return options

    @model_validator(mode="after")
    def _refuse_settings_of_landing(self) -> Self:
        """They would do nothing for a Delta table, nor a version for a source that has none."""
        if not self.is_landed and (self.options or self.schema):
            raise ValueError("source.options and source.schema are for a source.format other than delta")
        if self.is_landed and self.version != "latest":
            raise ValueError(
                f"source.version is for Delta tables; a source of the format {self.format} has no versions"
            )
        if self.features and self.reads_changes and self.event_time is None:
            raise ValueError(
                "source.features with source.read: changes, and no source.event_time: features as of the as_of change"
                " for rows that do not; set source.event_time, or use source.read: all"
            )
        if self.is_landed and self.reads_changes:
            raise ValueError(
                f"source.read: changes is for Delta tables; a source of the format {self.format} has no versions"
            )
        if self.schema and self.format.lower() == "view":
            raise ValueError("source.schema is for files and databases; a view has its own columns and types")
        return self

    @property
    def is_landed(self) -> bool:
        """Whether the source has no versions, so that its rows are landed as a Delta table first."""
        return self.format.lower() != DELTA_FORMAT

    @property
    def is_kafka(self) -> bool:
        """Whether the source is a topic of Kafka, whose records are text."""
        return self.format.lower() == KAFKA_FORMAT

    def of_micro_batches(self) -> Self:
        """The source of a run over a micro-batch, whose rows are landed already."""
        if self.format in (MICRO_BATCH_FORMAT, MICRO_BATCH_TEXT_FORMAT):
            return self
        kind = MICRO_BATCH_TEXT_FORMAT if self.is_kafka else MICRO_BATCH_FORMAT
        read: dict[str, Any] = {"format": kind, "options": {}, "schema": None, "version": "latest", "read": "all"}
        return self.model_copy(update=read)

    @property
    def reader_options(self) -> Mapping[str, str]:
        """The options as Spark takes them."""
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in self.options.items()
        }

    @property
    def shown_options(self) -> Mapping[str, str]:
        """The options without those that are secret."""
        return {name: text for name, text in self.reader_options.items() if not is_secret_name(name)}

    @property
    def landing_digest(self) -> str:
        """sha256 over what decides which rows, of which types, are landed: no secrets, nothing of how they are read."""
        options = {name.lower(): text for name, text in self.shown_options.items()}
        kept = {name: text for name, text in options.items() if name not in _TUNING_OPTIONS}
        where = [condition.model_dump() for condition in self.where]
        return json_digest([self.format.lower(), self.table, kept, self.schema, where])
