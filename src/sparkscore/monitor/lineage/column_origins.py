"""Where each column of a prediction table comes from. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sparkscore.records import (
    ApplyThreshold,
    ColumnOrigin,
    CopyValue,
    DatasetName,
    DerivedColumn,
    Expression,
    LookUp,
    LookupExpression,
    OriginKind,
    SourceColumn,
    expression_columns,
)
from sparkscore.schemas import LABEL_COLUMN, PREDICTION_COLUMN

_DIRECT = ("IDENTITY", "TRANSFORMATION")


@dataclass(frozen=True, slots=True)
class TracedRun:
    """What a run makes its columns from."""

    source: DatasetName
    carried: Mapping[str, str]
    """Source column -> column of the table: keys and pass-through."""
    inputs: Sequence[tuple[str, str | Expression]]
    """Model input and what it is made of: a source column, or an expression."""
    model: str
    """For people: `late version 3`."""
    threshold: float | None = None
    lookups: Sequence[tuple[LookupExpression, DatasetName]] = ()
    """Those of model inputs."""
    derived: Sequence[DerivedColumn] = ()
    output_lookups: Mapping[str, tuple[DatasetName, str, tuple[str, ...]]] = field(default_factory=dict)
    """Derived column that is looked up -> the table, its column that is taken, its key."""
    filter_columns: Sequence[str] = ()
    joined: Mapping[str, tuple[DatasetName, str]] = field(default_factory=dict)
    """Columns of the rows that are joined to those of the source -> the table that they come from, and its column."""
    join_keys: Sequence[tuple[DatasetName, str]] = ()
    """What finds the rows that are joined."""
    beside: Sequence[str] = ()
    """What else the model returns of a row."""

    def origin(self, column: str, kind: OriginKind, description: str = "") -> ColumnOrigin:
        """A column of the rows that are scored, as where it comes from."""
        dataset, name = self.joined.get(column, (self.source, column))
        return ColumnOrigin(dataset, name, kind, description)


def trace_columns(run: TracedRun) -> dict[str, tuple[ColumnOrigin, ...]]:
    """Column of the prediction table -> the columns that it depends on, each once. Those that are constant for a run
    depend on none."""
    found: dict[str, tuple[ColumnOrigin, ...]] = {
        name: (run.origin(column, "IDENTITY", "" if name == column else "renamed"),)
        for column, name in run.carried.items()
    }
    found[PREDICTION_COLUMN] = _prediction_origins(run)
    found |= {name: _computed(found[PREDICTION_COLUMN], name) for name in run.beside}
    if run.threshold is not None:
        found[LABEL_COLUMN] = _computed(found[PREDICTION_COLUMN], f"threshold {run.threshold:g}")
    for column in run.derived:
        found[column.name] = _derived_origins(run, column, found)
    return found


def trace_filters(run: TracedRun) -> tuple[ColumnOrigin, ...]:
    """The columns that decide which rows are there, and which are joined to them."""
    filters = [run.origin(name, "FILTER") for name in run.filter_columns]
    return _each_once([*filters, *(ColumnOrigin(table, name, "JOIN") for table, name in run.join_keys)])


def _prediction_origins(run: TracedRun) -> tuple[ColumnOrigin, ...]:
    named: dict[str, list[str]] = {}
    for name, made_of in run.inputs:
        for column in _computed_columns(SourceColumn(made_of) if isinstance(made_of, str) else made_of):
            named.setdefault(column, []).append(name)
    told = {column: f"{', '.join(names)} of {run.model}" for column, names in named.items()}
    read = [run.origin(column, "TRANSFORMATION", text) for column, text in told.items()]
    return _each_once([*read, *(one for lookup, table in run.lookups for one in _lookup_origins(run, lookup, table))])


def _computed_columns(expression: Expression) -> Iterator[str]:
    """The columns whose values it computes with; those of a lookup's key only find a row."""
    if isinstance(expression, SourceColumn):
        yield expression.name
    if not isinstance(expression, LookupExpression):
        for inner in expression.inner:
            yield from _computed_columns(inner)


def _lookup_origins(run: TracedRun, lookup: LookupExpression, table: DatasetName) -> Iterable[ColumnOrigin]:
    yield ColumnOrigin(table, lookup.value, "TRANSFORMATION", f"input of {run.model}")
    for column, key in lookup.key:
        yield ColumnOrigin(table, column, "JOIN")
        yield from (run.origin(name, "JOIN") for name in expression_columns(key))


def _derived_origins(
    run: TracedRun, column: DerivedColumn, found: Mapping[str, tuple[ColumnOrigin, ...]]
) -> tuple[ColumnOrigin, ...]:
    operation = column.operation
    if isinstance(operation, LookUp):
        table, value, keys = run.output_lookups[column.name]
        joined = [replace(one, kind="JOIN", description="") for name in operation.columns for one in found[name]]
        own = [ColumnOrigin(table, value, "IDENTITY"), *(ColumnOrigin(table, key, "JOIN") for key in keys)]
        return _each_once([*own, *joined])
    if isinstance(operation, CopyValue) and column.least is column.most is column.digits is None:
        return found[column.of]
    origins = _computed(found[column.of], type(operation).__name__)
    if isinstance(operation, ApplyThreshold) and operation.by is not None:
        deciding = [replace(one, kind="CONDITIONAL", description="") for one in found[operation.by]]
        return _each_once([*origins, *deciding])
    return origins


def _computed(origins: Iterable[ColumnOrigin], how: str) -> tuple[ColumnOrigin, ...]:
    return tuple(
        replace(one, kind="TRANSFORMATION", description="; ".join(filter(None, (one.description, how))))
        if one.kind in _DIRECT
        else one
        for one in origins
    )


def _each_once(origins: Iterable[ColumnOrigin]) -> tuple[ColumnOrigin, ...]:
    """A column that is computed with and joined by stands there for each."""
    return tuple({(one.dataset, one.field, one.kind): one for one in origins}.values())
