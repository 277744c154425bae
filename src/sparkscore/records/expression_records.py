"""Expressions of `model.inputs`: what is computed of a row of the source before a model sees it. Data, never code."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

ConstantValue: TypeAlias = bool | int | float | str
CastType = Literal["boolean", "integer", "long", "float", "double", "string", "date", "timestamp"]
ArithmeticOperator = Literal["add", "subtract", "multiply", "divide"]
DatePart = Literal["year", "quarter", "month", "week", "day", "day_of_week", "day_of_year", "hour", "minute", "second"]


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column of the source."""

    name: str

    @property
    def inner(self) -> tuple["Expression", ...]:
        """What it is made of."""
        return ()

    def to_data(self) -> Any:
        """As a config has it."""
        return self.name


@dataclass(frozen=True, slots=True)
class Constant:
    """One value for every row."""

    value: ConstantValue

    @property
    def inner(self) -> tuple["Expression", ...]:
        """What it is made of."""
        return ()

    def to_data(self) -> Any:
        """As a config has it."""
        return {"text": self.value} if isinstance(self.value, str) else self.value


@dataclass(frozen=True, slots=True)
class CastExpression:
    """A value as another type; NULL where the type cannot hold it."""

    of: "Expression"
    to: CastType

    @property
    def inner(self) -> tuple["Expression", ...]:
        """What it is made of."""
        return (self.of,)

    def to_data(self) -> Any:
        """As a config has it."""
        return {"cast": self.of.to_data(), "to": self.to}


@dataclass(frozen=True, slots=True)
class CoalesceExpression:
    """The first value that is not NULL."""

    parts: tuple["Expression", ...]

    @property
    def inner(self) -> tuple["Expression", ...]:
        """What it is made of."""
        return self.parts

    def to_data(self) -> Any:
        """As a config has it."""
        return {"coalesce": [one.to_data() for one in self.parts]}


@dataclass(frozen=True, slots=True)
class ArithmeticExpression:
    """Arithmetic from left to right; NULL where there is no result."""

    op: ArithmeticOperator
    parts: tuple["Expression", ...]

    @property
    def inner(self) -> tuple["Expression", ...]:
        """What it is made of."""
        return self.parts

    def to_data(self) -> Any:
        """As a config has it."""
        return {self.op: [one.to_data() for one in self.parts]}


@dataclass(frozen=True, slots=True)
class ConcatExpression:
    """Texts one after the other; NULL where one of them is."""

    parts: tuple["Expression", ...]

    @property
    def inner(self) -> tuple["Expression", ...]:
        """What it is made of."""
        return self.parts

    def to_data(self) -> Any:
        """As a config has it."""
        return {"concat": [one.to_data() for one in self.parts]}


@dataclass(frozen=True, slots=True)
class DatePartExpression:
    """A part of a date or a time."""

    part: DatePart
    of: "Expression"
    timezone: str | None = None
    """Of the clock that shows it; None: UTC, or the one that a time without a zone is of."""

    @property
    def inner(self) -> tuple["Expression", ...]:
        """What it is made of."""
        return (self.of,)

    def to_data(self) -> Any:
        """As a config has it."""
        return {
            "part": self.part,
            "of": self.of.to_data(),
            **({} if self.timezone is None else {"timezone": self.timezone}),
        }


@dataclass(frozen=True, slots=True)
class LookupExpression:
    """A value of a small table, in the row whose key is equal."""

    table: str
    key: tuple[tuple[str, "Expression"], ...]
    """Column of the table -> what it must equal."""
    value: str
    """The column of the table whose value is taken."""
    default: ConstantValue | None = None
    """Where the table has no such row; None: NULL."""

    @property
    def inner(self) -> tuple["Expression", ...]:
        """What it is made of."""
        return tuple(one for _, one in self.key)

    def to_data(self) -> Any:
        """As a config has it."""
        default = {} if self.default is None else {"default": self.default}
        key = {column: one.to_data() for column, one in self.key}
        return {"lookup": {"table": self.table, "key": key, "value": self.value, **default}}


Expression: TypeAlias = (
    SourceColumn
    | Constant
    | CastExpression
    | CoalesceExpression
    | ArithmeticExpression
    | ConcatExpression
    | DatePartExpression
    | LookupExpression
)


def iterate_expressions(expression: Expression) -> Iterator[Expression]:
    """The expression and all that it is made of, inner ones first."""
    for inner in expression.inner:
        yield from iterate_expressions(inner)
    yield expression


def expression_columns(expression: Expression) -> tuple[str, ...]:
    """The columns of the source that it reads, each once."""
    found = (one.name for one in iterate_expressions(expression) if isinstance(one, SourceColumn))
    return tuple(dict.fromkeys(found))


def find_lookups(expressions: Iterable[object]) -> tuple[LookupExpression, ...]:
    """The lookups in expressions, each once; columns alone have none."""
    found = [
        one
        for expression in expressions
        if isinstance(expression, Expression)
        for one in iterate_expressions(expression)
    ]
    return tuple(dict.fromkeys(one for one in found if isinstance(one, LookupExpression)))
