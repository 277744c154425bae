"""From `output.columns` to typed columns: what each reads, computes and holds, decided before a row is read. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from sparkscore.publish.column_types import (
    apply_number_limits,
    item_type,
    join_field_path,
    label_type,
    resolve_field_path,
    shorten_words,
    unfit_column_error,
)
from sparkscore.publish.known_columns import KnownColumns, OutputContext, PlannedOutputs
from sparkscore.publish.lookup_planning import plan_lookup
from sparkscore.records import (
    ApplyThreshold,
    AssignBin,
    CopyValue,
    DerivedColumn,
    GreatestLabel,
    GreatestValue,
    SelectElement,
    SelectField,
    TopValues,
)
from sparkscore.settings.output_column_settings import OutputColumnSettings, SegmentThresholdSettings

_MAX_COMMENT = 200


def plan_output_columns(columns: Sequence[OutputColumnSettings], context: OutputContext) -> PlannedOutputs:
    """The columns that the config names.

    Raises:  ConfigError for what does not fit the types before it, for a class that the model does not have;
             ModelError for a calibration file that holds something else.
    """
    planner = _Planner(context, KnownColumns(context))
    planned = tuple(planner.plan(column) for column in columns)
    return PlannedOutputs(planned, tuple(planner.known.list_sizes.items()))


@dataclass(slots=True)
class _Planner:
    context: OutputContext
    known: KnownColumns

    def plan(self, column: OutputColumnSettings) -> DerivedColumn:
        forms = {
            None: self._copy,
            "field": self._field,
            "element": self._element,
            "probability": self._probability,
            "argmax": self._greatest_label,
            "max": self._greatest_value,
            "top": self._top,
            "calibrate": self._calibrate,
            "bins": self._bins,
            "threshold": self._threshold,
            "lookup": self._lookup,
        }
        made = apply_number_limits(forms[column.operation](column), column)
        self._refuse_variables(column, made)
        self.known.types[column.name] = made.type
        return replace(made, comment=made.comment[:_MAX_COMMENT])

    def _refuse_variables(self, column: OutputColumnSettings, made: DerivedColumn) -> None:
        """Spark puts a setting in the place of ${name} wherever it stands in a name."""
        names = made.operation.path if isinstance(made.operation, SelectField) else ()
        if pa.types.is_struct(made.of_type) and not isinstance(made.operation, CopyValue | SelectField):
            names = tuple(one.name for one in made.of_type)
        if any("${" in name for name in names):
            raise unfit_column_error(column, f"a field of {column.source} whose name has ${{ in it", "other names")

    def _build(self, column: OutputColumnSettings, kind: pa.DataType, operation: object, comment: str) -> DerivedColumn:
        of = column.read_columns[0]
        return DerivedColumn(column.name, kind, of, self.known.types[of], operation, comment=comment)  # type: ignore[arg-type]

    def _copy(self, column: OutputColumnSettings) -> DerivedColumn:
        if column.source in self.known.paths:
            self.known.paths[column.name] = self.known.paths[column.source]
        return self._build(column, self.known.types[column.source], CopyValue(), f"{column.source}.")

    def _field(self, column: OutputColumnSettings) -> DerivedColumn:
        kind = self.known.types[column.source]
        path = resolve_field_path(kind, column.field or "")
        if path is None:
            names = [one.name for one in kind] if pa.types.is_struct(kind) else []
            raise unfit_column_error(
                column, f"field {column.field} of {column.source} ({shorten_words(kind)})", "a field of a struct", names
            )
        for name in path:
            kind = kind.field(name).type
        if column.source in self.known.paths:
            self.known.paths[column.name] = join_field_path(self.known.paths[column.source], path)
        return self._build(column, kind, SelectField(path), f"Field {column.field} of {column.source}.")

    def _element(self, column: OutputColumnSettings) -> DerivedColumn:
        kind, position = self.known.types[column.source], column.element
        if not pa.types.is_list(kind):
            raise unfit_column_error(column, f"element {position} of {column.source} ({shorten_words(kind)})", "a list")
        if isinstance(position, str):
            position = self.known.find_class_position(column, position)
        size = self.known.find_size(column)
        if size is not None and position is not None and position >= size:
            raise unfit_column_error(
                column, f"element {position} of {column.source}", f"a position from 0 to {size - 1}"
            )
        comment = f"Item {column.element} of {column.source}."
        return self._build(column, kind.value_type, SelectElement(position or 0), comment)

    def _probability(self, column: OutputColumnSettings) -> DerivedColumn:
        kind, label = self.known.require_values(column, "probability"), column.probability
        comment = f"Probability of the class {label}."
        if pa.types.is_struct(kind):
            names = [one.name for one in kind]
            if label not in names:
                raise unfit_column_error(column, f"the class {label!r}", "a field of the prediction", names)
            return self._build(column, pa.float64(), SelectField((str(label),)), comment)
        position = self.known.find_class_position(column, label)
        if pa.types.is_floating(kind) and position:
            return self._build(column, pa.float64(), CopyValue(), comment)
        return self._build(column, pa.float64(), SelectElement(position), comment)

    def _greatest_label(self, column: OutputColumnSettings) -> DerivedColumn:
        labels = self.known.require_labels(column, "argmax")
        comment = f"Label of the greatest value of {column.source}."
        return self._build(column, label_type(labels), GreatestLabel(labels), comment)

    def _greatest_value(self, column: OutputColumnSettings) -> DerivedColumn:
        kind = self.known.require_values(column, "max")
        if pa.types.is_floating(kind):
            self.known.require_labels(column, "max")
        return self._build(column, item_type(kind), GreatestValue(), f"Greatest value of {column.source}.")

    def _top(self, column: OutputColumnSettings) -> DerivedColumn:
        labels, count = self.known.require_labels(column, "top"), column.top or 1
        if count > len(labels):
            raise unfit_column_error(column, f"top {count} of {len(labels)} classes", f"at most {len(labels)}")
        item = pa.struct([("label", label_type(labels)), ("value", item_type(self.known.types[column.source]))])
        comment = f"The {count} greatest values of {column.source} with their labels, descending."
        return self._build(column, pa.list_(item), TopValues(labels, count), comment)

    def _calibrate(self, column: OutputColumnSettings) -> DerivedColumn:
        self.known.require_number(column, "calibrate")
        operation = self.context.read_calibration(column.calibrate or "")
        return self._build(column, pa.float64(), operation, f"{column.source}, calibrated by {column.calibrate}.")

    def _bins(self, column: OutputColumnSettings) -> DerivedColumn:
        self.known.require_number(column, "bins")
        bins = column.bins
        assert bins is not None  # noqa: S101 - the operation is bins
        edges = ", ".join(f"{edge:g}" for edge in bins.edges)
        operation = AssignBin(tuple(edge + 0.0 for edge in bins.edges), bins.labels)
        return self._build(column, label_type(bins.labels), operation, f"Bin of {column.source}; edges: {edges}.")

    def _threshold(self, column: OutputColumnSettings) -> DerivedColumn:
        self.known.require_number(column, "threshold")
        given = column.threshold
        if not isinstance(given, SegmentThresholdSettings):
            operation = ApplyThreshold(float(given or 0.0))
            return self._build(column, pa.int32(), operation, f"1 where {column.source} >= {given}, else 0.")
        kind = self.known.types[given.by]
        if not (pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
            raise unfit_column_error(
                column, f"threshold.by {given.by} ({shorten_words(kind)})", "text, whole numbers or booleans"
            )
        keys = tuple(sorted(given.values, key=str.encode))
        limits = tuple(float(given.values[key]) for key in keys)
        operation = ApplyThreshold(given.default, given.by, keys, limits)
        return self._build(
            column, pa.int32(), operation, f"1 where {column.source} >= the threshold of {given.by}, else 0."
        )

    def _lookup(self, column: OutputColumnSettings) -> DerivedColumn:
        lookup = column.lookup
        assert lookup is not None  # noqa: S101 - the operation is lookup
        operation, kind = plan_lookup(lookup, self.context.load_lookup(lookup), self.known.types, column=column.name)
        keys = ", ".join(lookup.key.values())
        return self._build(column, kind, operation, f"{lookup.value} of the table {lookup.table} for {keys}.")
