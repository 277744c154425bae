"""What a run reads and writes, as lineage tells it: datasets by their names, and where each column comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sparkscore.records.model_records import ReportedModel

DatasetKind = Literal["TABLE", "VIEW", "FILE", "TOPIC", "MODEL"]
OriginKind = Literal["IDENTITY", "TRANSFORMATION", "CONDITIONAL", "JOIN", "FILTER"]
"""How a column of an input takes part in one of the output: its value is copied, is computed with; it decides which
value is taken, finds the row of another table, or decides whether a row is there."""


@dataclass(frozen=True, slots=True)
class DatasetName:
    """A dataset as OpenLineage names it: together they are its URI."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class LineageField:
    """One column of a dataset."""

    name: str
    type: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class LineageDataset:
    """A table, file or model that a run reads or writes."""

    id: DatasetName
    kind: DatasetKind = "TABLE"
    version: str | None = None
    format: str | None = None
    fields: tuple[LineageField, ...] = ()
    """Empty: they are not told."""
    location: DatasetName | None = None
    """Where it lies, where `id` is its name in a catalog."""


@dataclass(frozen=True, slots=True)
class ColumnOrigin:
    """A column of an input that a column of the output depends on."""

    dataset: DatasetName
    field: str
    kind: OriginKind
    description: str = ""


@dataclass(frozen=True, slots=True)
class RunLineage:
    """The inputs and outputs of a run."""

    source: LineageDataset
    output: LineageDataset
    others: tuple[LineageDataset, ...] = ()
    """Further tables that it reads."""
    models: tuple[tuple[LineageDataset, ReportedModel], ...] = ()
    """What it scores with; of a model per group the first ones."""
    rejects: LineageDataset | None = None
    """The table of rejects."""
    columns: Mapping[str, tuple[ColumnOrigin, ...]] = field(default_factory=dict)
    """Column of the output -> what it is made from."""
    filters: tuple[ColumnOrigin, ...] = ()
    """What decides which rows are there."""


@dataclass(frozen=True, slots=True)
class ParentRun:
    """The run of a scheduler that started this one."""

    namespace: str
    job: str
    run_id: str
    root: "ParentRun | None" = None
    """The outermost run, where it is known."""


@dataclass(frozen=True, slots=True)
class LineageContext:
    """What all events of an attempt share."""

    namespace: str
    parent: ParentRun | None = None
    engine_version: str | None = None
    """Of Spark."""
    model_uri: str | None = None
    """As the config names the model."""
