"""The types of an expression over a source's columns. Runs on the driver."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa

from sparkscore.expressions.number_types import (
    UnfitExpression,
    compute_in_one_type,
    find_common_type,
    holds_constant,
    is_number_type,
)
from sparkscore.expressions.typed_expressions import (
    DOUBLE,
    LONG,
    UTC_TIME,
    LookupContent,
    TypedExpression,
    convert_value,
)
from sparkscore.model.signature.signature_check import suggest_similar_name
from sparkscore.records import (
    ArithmeticExpression,
    CastExpression,
    CoalesceExpression,
    ConcatExpression,
    Constant,
    DatePartExpression,
    Expression,
    LookupExpression,
    SourceColumn,
)
from sparkscore.spark.type_mapping import describe_source_type

CAST_TARGETS: Mapping[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "long": LONG,
    "float": pa.float32(),
    "double": DOUBLE,
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": UTC_TIME,
}
_NUMBERS = ("integer", "long", "float", "double")
_TIME_PARTS = ("hour", "minute", "second")
_CASTS: tuple[tuple[Callable[[pa.DataType], bool], tuple[str, ...]], ...] = (
    (pa.types.is_boolean, (*_NUMBERS, "string")),
    (pa.types.is_signed_integer, (*_NUMBERS, "string")),
    (pa.types.is_floating, _NUMBERS),
    (pa.types.is_decimal, _NUMBERS),
    (pa.types.is_string, (*_NUMBERS, "boolean", "date", "timestamp")),
    (pa.types.is_date32, ("string", "timestamp")),
    (pa.types.is_timestamp, ("date",)),
)
"""Casts that Spark and Arrow make alike, by the type of what is cast."""

LookupContents = Mapping[LookupExpression, LookupContent]


@dataclass(frozen=True, slots=True)
class TypeInference:
    """Infers the types of expressions.

    Raises:  UnfitExpression, which says where in the expression, what was found, what is expected, and the cure.
    """

    schema: pa.Schema
    lookups: LookupContents

    def infer(self, expression: Expression, at: str = "") -> TypedExpression:
        """The expression with its types."""
        match expression:
            case SourceColumn():
                return self._infer_column(expression, at)
            case Constant():
                return _infer_constant(expression)
            case ArithmeticExpression():
                return self._infer_arithmetic(expression, f"{at}.{expression.op}")
            case CoalesceExpression():
                return self._infer_coalesce(expression, f"{at}.coalesce")
            case LookupExpression():
                return self._infer_lookup(expression, f"{at}.lookup")
        return self._infer_of_one(expression, at)

    def _infer_of_one(self, expression: Expression, at: str) -> TypedExpression:
        if isinstance(expression, CastExpression):
            return _infer_cast(self.infer(expression.of, f"{at}.cast"), expression.to, f"{at}.cast")
        if isinstance(expression, DatePartExpression):
            return _infer_date_part(self.infer(expression.of, f"{at}.of"), expression, f"{at}.of")
        assert isinstance(expression, ConcatExpression)  # noqa: S101  the last of the union
        parts = self._infer_parts(expression.parts, f"{at}.concat")
        for index, one in enumerate(parts):
            if not pa.types.is_string(one.kind):
                raise UnfitExpression(f"{_shown(f'{at}.concat.{index}')}{one.kind}; expected text: cast it to string")
        return TypedExpression("concat", pa.string(), parts)

    def _infer_column(self, column: SourceColumn, at: str) -> TypedExpression:
        count = len(self.schema.get_all_field_indices(column.name))
        if count != 1:
            hint = suggest_similar_name(column.name, self.schema.names) or _advise_on_name(column.name)
            raise UnfitExpression(
                f"{_shown(at)}the source has {'two columns' if count else 'no column'} {column.name}{hint}"
            )
        field = self.schema.field(column.name)
        kind, words = field.type, describe_source_type(field)
        is_known = is_number_type(kind) or any(fits(kind) for fits, _ in _CASTS)
        if not is_known or " collate " in words:
            raise UnfitExpression(
                f"{_shown(at)}the column {column.name} is {words}; expected numbers, text, booleans, dates or times:"
                " compute it in the source, or give the column to the model as it is"
            )
        return TypedExpression("column", kind, value=column.name)

    def _infer_parts(self, parts: tuple[Expression, ...], at: str) -> tuple[TypedExpression, ...]:
        return tuple(self.infer(one, f"{at}.{index}") for index, one in enumerate(parts))

    def _infer_arithmetic(self, expression: ArithmeticExpression, at: str) -> TypedExpression:
        parts = self._infer_parts(expression.parts, at)
        for index, one in enumerate(parts):
            if not is_number_type(one.kind):
                raise UnfitExpression(
                    f"{_shown(f'{at}.{index}')}{one.kind}; expected a number: cast it to double or long"
                )
        if expression.op == "divide":
            return reduce(
                lambda left, right: TypedExpression("divide", DOUBLE, (left, right)),
                [convert_value(one, DOUBLE) for one in parts],
            )
        try:
            return reduce(lambda left, right: compute_in_one_type(expression.op, left, right), parts)
        except UnfitExpression as unfit:
            raise UnfitExpression(f"{_shown(at)}{unfit}") from None

    def _infer_coalesce(self, expression: CoalesceExpression, at: str) -> TypedExpression:
        parts = self._infer_parts(expression.parts, at)
        kind = find_common_type(parts)
        if kind is None:
            found = " and ".join(dict.fromkeys(str(one.kind) for one in parts))
            raise UnfitExpression(f"{_shown(at)}{found}; expected values of one type: cast them to it")
        return TypedExpression("coalesce", kind, tuple(convert_value(one, kind) for one in parts))

    def _infer_lookup(self, expression: LookupExpression, at: str) -> TypedExpression:
        content = self.lookups[expression]
        parts = []
        for (column, inner), stored in zip(expression.key, content.keys, strict=True):
            part = self.infer(inner, f"{at}.key.{column}")
            wanted = LONG if pa.types.is_signed_integer(part.kind) else part.kind
            if wanted != stored.type:
                raise UnfitExpression(
                    f"{_shown(f'{at}.key.{column}')}{part.kind}, and the table's {column} is {stored.type};"
                    " expected equal types: cast one of them"
                )
            parts.append(convert_value(part, wanted))
        kind, default = content.values.type, expression.default
        if default is not None and not holds_constant(kind, default):
            raise UnfitExpression(
                f"{_shown(f'{at}.default')}no value of {expression.value}, which is {kind}: change it"
            )
        return TypedExpression("lookup", kind, tuple(parts), value=default, lookup=content)


def _infer_constant(constant: Constant) -> TypedExpression:
    kinds: Mapping[type, pa.DataType] = {bool: pa.bool_(), int: LONG, float: DOUBLE, str: pa.string()}
    return TypedExpression("constant", kinds[type(constant.value)], value=constant.value)


def _infer_cast(part: TypedExpression, to: str, at: str) -> TypedExpression:
    kind = CAST_TARGETS[to]
    if part.kind == kind:
        return part
    targets = next(words for fits, words in _CASTS if fits(part.kind))
    if to not in targets:
        raise UnfitExpression(f"{_shown(at)}{part.kind} to {to}; expected one of {', '.join(targets)}")
    return TypedExpression("cast", kind, (part,))


def _infer_date_part(part: TypedExpression, expression: DatePartExpression, at: str) -> TypedExpression:
    is_time = pa.types.is_timestamp(part.kind)
    if not is_time and (not pa.types.is_date32(part.kind) or expression.part in _TIME_PARTS):
        wanted = "a timestamp" if expression.part in _TIME_PARTS else "a date or a timestamp"
        raise UnfitExpression(f"{_shown(at)}{part.kind}; expected {wanted}: cast it to timestamp")
    if expression.timezone is not None and (not is_time or part.kind.tz is None):
        raise UnfitExpression(f"{_shown(at)}{part.kind}, which has no time zone; remove timezone")
    zone = None if expression.timezone == "UTC" else expression.timezone
    return TypedExpression("part", pa.int32(), (part,), value=expression.part, timezone=zone)


def _shown(at: str) -> str:
    return f"{at.removeprefix('.')}: " if at else ""


def _advise_on_name(name: str) -> str:
    """What a name may be meant as, that is no column."""
    try:
        float(name)
    except ValueError:
        return ": correct the name; text that is no column is written {text: …}"
    return ": YAML reads it as text; write the number with a point and a signed exponent, as 1.0e+3, and without quotes"
