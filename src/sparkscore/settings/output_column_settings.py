"""Settings of `output.columns`: one operation each, which makes a column from those before it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic.config import JsonDict

from sparkscore.schemas import LABEL_COLUMN, PREDICTION_COLUMN, RESERVED_NAMES
from sparkscore.settings.frozen_settings import FrozenSettings
from sparkscore.settings.output_names import is_plain_name, suggest_output_name

MAX_OUTPUT_COLUMNS = 1_000
MAX_TOP = 1_000
_MAX_BINS = 1_000
_MAX_SEGMENTS = 10_000
_MAX_DIGITS = 12
WholeLabel = Annotated[int, Field(strict=True)]
"""A whole number: not true, which YAML makes of yes."""
LABELS_EXTRA: JsonDict = {"expected": "a list of whole numbers, or of texts (in quotes: yes, no, on, off, numbers)"}
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_OPERATIONS = (
    "field",
    "element",
    "probability",
    "argmax",
    "max",
    "top",
    "calibrate",
    "bins",
    "threshold",
    "lookup",
)


class BinSettings(FrozenSettings):
    """Bins of a number."""

    edges: tuple[_Finite, ...] = Field(
        min_length=1, max_length=_MAX_BINS, description="ascending; an edge belongs to the bin above it"
    )
    labels: tuple[str, ...] | tuple[WholeLabel, ...] = Field(
        description="one for each bin, from the lowest on: one more than edges", json_schema_extra=LABELS_EXTRA
    )

    @model_validator(mode="after")
    def _check_bins(self) -> Self:
        falling = next((f"{one!r} before {other!r}" for one, other in pairwise(self.edges) if not one < other), None)
        if falling:
            raise ValueError(f"edges that do not ascend: {falling}; expected each above the one before")
        if len(self.labels) != len(self.edges) + 1:
            raise ValueError(f"{len(self.labels)} labels for {len(self.edges)} edges; expected {len(self.edges) + 1}")
        return self


class SegmentThresholdSettings(FrozenSettings):
    """Thresholds by segment."""

    default: float = Field(allow_inf_nan=False, description="threshold of all other segments")
    by: str = Field(description="column of the prediction table that tells segments apart")
    values: dict[str, _Finite] = Field(min_length=1, max_length=_MAX_SEGMENTS, description="{segment: its threshold}")


class LookupSettings(FrozenSettings):
    """A small table, joined by a key."""

    table: str = Field(description="Delta table: catalog name, absolute path, or plain name under the home folder")
    version: int | None = Field(
        default=None, ge=0, description="version of the table; default: the newest when the run is pinned"
    )
    key: dict[str, str] = Field(min_length=1, description="{column of that table: column of the prediction table}")
    value: str = Field(description="column of that table that is taken over")
    default: str | int | float | bool | None = Field(
        default=None, description="value where no row has the key; default: NULL"
    )


class OutputColumnSettings(FrozenSettings):
    """One column of the prediction table that is computed from those before it."""

    name: str = Field(max_length=255, description="name of the column")
    of: str | None = Field(
        default=None,
        description="column that it is made from: prediction, label, a key, a pass-through column or one before it;"
        " default: prediction",
    )
    field: str | None = Field(default=None, description="a field of a struct, as a dotted path")
    element: int | str | None = Field(
        default=None, description="an item of a list: its position from 0, or the label of a class"
    )
    probability: str | int | None = Field(default=None, description="the probability of the class with this label")
    argmax: bool = Field(default=False, description="true: the label of the greatest value")
    max: bool = Field(default=False, description="true: the greatest value")
    top: int | None = Field(
        default=None,
        ge=1,
        le=MAX_TOP,
        description="so many labels with the greatest values, as a list of (label, value)",
    )
    calibrate: str | None = Field(
        default=None, description="a calibration file among the model's artifacts: its path in the model's folder"
    )
    bins: BinSettings | None = Field(
        default=None, description="the label of the bin that the value is in: {edges, labels}"
    )
    threshold: SegmentThresholdSettings | _Finite | None = Field(
        default=None, description="1 from the threshold on, else 0; by segment: {default, by, values}"
    )
    lookup: LookupSettings | None = Field(
        default=None, description="the value of a row of a small table: {table, key, value, default, version}"
    )
    clip: tuple[_Finite | None, _Finite | None] | None = Field(
        default=None, description="[least, most] of the result; null: no limit"
    )
    round: int | None = Field(default=None, ge=0, le=_MAX_DIGITS, description="decimals of the result")

    @property
    def operation(self) -> str | None:
        """The name of its operation; None where the value is taken as it is."""
        return next(iter(self._given), None)

    @property
    def source(self) -> str:
        """The column that it is made from."""
        return self.of or "prediction"

    @property
    def read_columns(self) -> tuple[str, ...]:
        """The columns of the prediction table that it names."""
        if self.lookup is not None:
            return tuple(self.lookup.key.values())
        by = (self.threshold.by,) if isinstance(self.threshold, SegmentThresholdSettings) else ()
        return (self.source, *by)

    @property
    def _given(self) -> list[str]:
        values = {name: getattr(self, name) for name in _OPERATIONS}
        return [name for name, value in values.items() if value is not None and value is not False]

    @field_validator("clip")
    @classmethod
    def _check_clip(cls, clip: tuple[float | None, float | None] | None) -> tuple[float | None, float | None] | None:
        if clip is not None:
            least, most = clip
            if least is None and most is None:
                raise ValueError("[null, null] clips nothing; expected [least, most], one of them a number")
            if least is not None and most is not None and least > most:
                raise ValueError(f"[{least}, {most}]: expected the lesser first")
        return clip

    @model_validator(mode="after")
    def _require_one_operation(self) -> Self:
        given = self._given
        if len(given) > 1:
            raise ValueError(
                f"the column {self.name} has {len(given)} operations: {', '.join(given)}; expected one; make a column"
                " of each, the second one `of` the first"
            )
        if not given and self.of is None and self.clip is None and self.round is None:
            raise ValueError(
                f"the column {self.name} would be a copy of prediction; expected `of`, or one of"
                f" {', '.join(_OPERATIONS)}, clip, round"
            )
        if self.lookup is not None and self.of is not None:
            raise ValueError(
                f"the column {self.name} has `of` beside lookup, which names its columns in `key`; remove `of`"
            )
        if isinstance(self.element, int) and self.element < 0:
            raise ValueError(
                f"element {self.element} of the column {self.name}; expected a position from 0 on, or a label"
            )
        return self


def find_output_column_problems(
    columns: Sequence[OutputColumnSettings], *, carried: Sequence[str], has_threshold: bool, sensitive: Sequence[str]
) -> list[str]:
    """What is wrong with the names of computed columns and with those that they are made from, in words.

    `carried`: keys and pass-through columns by their names in the prediction table, as `sensitive` are.
    """
    if len(columns) > MAX_OUTPUT_COLUMNS:
        return [
            f"output.columns names {len(columns):,} columns; at most {MAX_OUTPUT_COLUMNS:,}: leave lists and structs in"
            " prediction, take `top`, or see output.explode"
        ]
    known = {PREDICTION_COLUMN, *((LABEL_COLUMN,) if has_threshold else ()), *carried}
    free = () if has_threshold else (LABEL_COLUMN,)
    taken = {name.lower(): name for name in (*carried, *(RESERVED_NAMES - {*free}))}
    problems = []
    for column in columns:
        problems += [f"output.columns, {column.name}: {one}" for one in _name_problems(column, taken, known, sensitive)]
        taken[column.name.lower()] = column.name
        known.add(column.name)
    return problems


def _name_problems(
    column: OutputColumnSettings, taken: Mapping[str, str], known: Collection[str], sensitive: Sequence[str]
) -> Iterator[str]:
    if column.name.lower() in taken:
        yield f"the prediction table has a column {taken[column.name.lower()]} already; give it another name"
    if not is_plain_name(column.name) or column.name.startswith("_") or "${" in column.name:
        yield (
            "a name that the prediction table cannot have; expected one without spaces and any of ,;{}()=, and no _ at"
            " its beginning"
        )
    for name in column.read_columns:
        if name in sensitive:
            yield f"it is made from {name}, which is in source.sensitive; expected other columns"
        elif name not in known:
            yield f"it is made from {name}, which is no column before it{suggest_output_name(name, known)}"
