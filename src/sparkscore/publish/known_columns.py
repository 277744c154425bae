"""What is known of the columns of a run while further ones are planned: types, lengths of lists, labels. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from sparkscore.errors import ConfigError
from sparkscore.publish.column_types import shorten_words, unfit_column_error
from sparkscore.records import DerivedColumn, Interpolation, Label, LookupRows, Sigmoid
from sparkscore.schemas import BINARY_CLASSES, PREDICTION_COLUMN
from sparkscore.settings.output_column_settings import LookupSettings, OutputColumnSettings

_LABELS_ADVICE = (
    "name the labels in the order of the values: output.classes: [on_time, late]; or log the model with"
    " metadata={'class_names': [...]}"
)
_VALUES = "a list of floating numbers, a struct of them, or the probability of the second of two classes"


@dataclass(frozen=True, slots=True)
class OutputContext:
    """What is known of a run when its columns are planned."""

    types: Mapping[str, pa.DataType]
    """Of the published columns: keys, pass-through, `prediction`, `label` with a threshold."""
    find_labels: Callable[[], tuple[Label, ...]]
    """The labels of the model's classes; none where nobody says them."""
    read_calibration: Callable[[str], Interpolation | Sigmoid]
    load_lookup: Callable[[LookupSettings], LookupRows]
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Paths of lists in the prediction that have a fixed number of items."""


@dataclass(frozen=True, slots=True)
class PlannedOutputs:
    """The columns that are computed, typed, in order."""

    columns: tuple[DerivedColumn, ...] = ()
    list_sizes: tuple[tuple[str, int], ...] = ()
    """Columns with lists that no signature gives a length, and how many items they must have: one per label."""


NO_OUTPUTS = PlannedOutputs()


@dataclass(slots=True)
class KnownColumns:
    """The columns that the prediction table has so far."""

    context: OutputContext
    types: dict[str, pa.DataType] = field(init=False)
    paths: dict[str, str] = field(default_factory=lambda: {PREDICTION_COLUMN: PREDICTION_COLUMN})
    """Columns that are a part of the prediction, and which."""
    list_sizes: dict[str, int] = field(default_factory=dict)
    """As in `PlannedOutputs`."""

    def __post_init__(self) -> None:
        self.types = dict(self.context.types)

    def find_size(self, column: OutputColumnSettings) -> int | None:
        """How many items the lists of a column have, where the signature says it."""
        return self.context.sizes.get(self.paths.get(column.source, ""))

    def find_class_position(self, column: OutputColumnSettings, label: Label | None) -> int:
        """The place of a class among the values.

        Raises:  ConfigError with the nearest label.
        """
        labels = self.require_labels(column, "probability")
        texts = [str(one) for one in labels]
        if str(label) not in texts:
            raise unfit_column_error(column, f"the class {label!r}", "a class of the model", texts)
        return texts.index(str(label))

    def require_labels(self, column: OutputColumnSettings, operation: str) -> tuple[Label, ...]:
        """The labels of a column's values: one for each.

        Raises:  ConfigError where there are none, or another number of them.
        """
        kind = self.require_values(column, operation, wants_labels=True)
        if pa.types.is_struct(kind):
            return tuple(one.name for one in kind)
        labels, size = self.context.find_labels(), self.find_size(column)
        if pa.types.is_floating(kind):
            size = BINARY_CLASSES
        if not labels:
            raise ConfigError(
                f"output.columns, {column.name}: {operation} of {column.source} needs labels, and the model's files do"
                " not say any",
                "labels of the classes",
                _LABELS_ADVICE,
            )
        if len(set(labels)) < len(labels):
            twice = next(one for one in labels if labels.count(one) > 1)
            raise unfit_column_error(column, f"the label {twice} stands for two classes", "labels that differ")
        if size is not None and size != len(labels):
            raise ConfigError(
                f"output.columns, {column.name}: {column.source} holds {size} values, and there are {len(labels)}"
                f" labels: {shorten_words(', '.join(map(str, labels)))}",
                "one label per value",
                _LABELS_ADVICE,
            )
        if size is None:
            self.list_sizes[column.source] = len(labels)
        return labels

    def require_values(
        self, column: OutputColumnSettings, operation: str, *, wants_labels: bool = False
    ) -> pa.DataType:
        """The type of a list of floating numbers, of a struct of them, or of the probability of a second class."""
        kind = self.types[column.source]
        if pa.types.is_list(kind) and (pa.types.is_floating(kind.value_type) or column.operation == "element"):
            return kind
        fields = {one.type for one in kind} if pa.types.is_struct(kind) else set()
        if len(fields) == 1 and pa.types.is_floating(*fields):
            return kind
        if pa.types.is_floating(kind):
            return kind
        raise unfit_column_error(
            column,
            f"{operation} of {column.source} ({shorten_words(kind)})",
            _VALUES,
        )

    def require_number(self, column: OutputColumnSettings, operation: str) -> None:
        """Refuse what is no number.

        Raises:  ConfigError.
        """
        kind = self.types[column.source]
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            raise unfit_column_error(column, f"{operation} of {column.source} ({shorten_words(kind)})", "a number")
