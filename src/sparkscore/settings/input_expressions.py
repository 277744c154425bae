"""The grammar of expressions in `model.inputs`: mappings with one operation each, never text that is parsed or run."""

import difflib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias, get_args

from pydantic import PlainSerializer, PlainValidator

from sparkscore.records import (
    ArithmeticExpression,
    ArithmeticOperator,
    CastExpression,
    CastType,
    CoalesceExpression,
    ConcatExpression,
    Constant,
    DatePart,
    DatePartExpression,
    Expression,
    LookupExpression,
    SourceColumn,
)
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.settings.expression_checks import (
    describe_given,
    format_place,
    parse_constant,
    require_column_name,
    require_keys,
    require_table_name,
    require_time_zone,
    require_word,
)
from sparkscore.settings.setting_types import SettingWords

MAX_OPERATIONS = 200
"""Of one expression: what tasks and Spark's planner handle without being noticed."""
MAX_EXPRESSION_LEVELS = 20
_EXAMPLE = "{part: hour, of: time_hour}"


def parse_input_source(value: object) -> object:
    """What a config has written for an input: a column's name as it is, an expression as the record of it.

    Raises:  ValueError, which says where in the expression, what was found and what is right.
    """
    if isinstance(value, str | Expression):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(
            f"{describe_given(value)}; expected a column (in quotes, if it looks like a number) or {_EXAMPLE}"
        )
    parsed = _ExpressionParser().parse(value, "")
    if isinstance(parsed, Constant):
        raise ValueError("the same value for every row; expected an expression that reads a column")
    return parsed.name if isinstance(parsed, SourceColumn) else parsed


def serialize_input_source(value: Any) -> Any:
    """An input as the config has it."""
    return value if isinstance(value, str) else value.to_data()


InputSource: TypeAlias = Annotated[
    str | Expression,
    PlainValidator(parse_input_source),
    PlainSerializer(serialize_input_source),
    SettingWords(f"a column of the source, or an expression, such as {_EXAMPLE}"),
]
"""What brings a model's input: a column of the source, or an expression."""


class _ExpressionParser:
    """Parses one expression, and counts its operations."""

    def __init__(self) -> None:
        self._operations = self._level = 0
        self._parsers: Mapping[str, Callable[[Mapping[str, Any], str], Expression]] = {
            "column": self._parse_column,
            "text": self._parse_text,
            "cast": self._parse_cast,
            "coalesce": lambda given, at: CoalesceExpression(self._parse_parts(given, "coalesce", at)),
            "concat": lambda given, at: ConcatExpression(self._parse_parts(given, "concat", at)),
            "part": self._parse_date_part,
            "lookup": self._parse_lookup,
            **dict.fromkeys(get_args(ArithmeticOperator), self._parse_arithmetic),
        }

    def parse(self, value: object, at: str) -> Expression:
        """The expression at a path inside of the setting."""
        self._operations, self._level = self._operations + 1, self._level + 1
        if self._operations > MAX_OPERATIONS or self._level > MAX_EXPRESSION_LEVELS:
            raise ValueError(
                f"more than {MAX_OPERATIONS} operations, or {MAX_EXPRESSION_LEVELS} levels; compute it in the source"
            )
        parsed = self._parse_value(value, at)
        self._level -= 1
        return parsed

    def _parse_value(self, value: object, at: str) -> Expression:
        if isinstance(value, str):
            return SourceColumn(require_column_name(value, at))
        if isinstance(value, bool | int | float):
            return parse_constant(value, at)
        if isinstance(value, Mapping):
            return self._parse_operation(value, at)
        raise ValueError(
            f"{format_place(at)}{describe_given(value)}; expected a column, a number, true, false, or {_EXAMPLE}"
        )

    def _parse_operation(self, given: Mapping[str, Any], at: str) -> Expression:
        found = [name for name in given if name in self._parsers]
        if len(found) != 1:
            raise ValueError(f"{format_place(at)}{self._describe_operations(given, found)}")
        return self._parsers[found[0]](given, at)

    def _describe_operations(self, given: Mapping[str, Any], found: list[str]) -> str:
        if found:
            return (
                f"{len(found)} operations in one mapping: {', '.join(found)}; expected one (mappings of several files"
                " are merged)"
            )
        names = ", ".join(map(str, given)) or "nothing"
        near = [match for name in given for match in difflib.get_close_matches(str(name), list(self._parsers), n=1)]
        hint = f" (did you mean {near[0]}?)" if near else ""
        found_text = f"no operation in a mapping of {shorten_redacted(names, 80)}{hint}"
        return f"{found_text}; expected one of {', '.join(self._parsers)}"

    def _parse_column(self, given: Mapping[str, Any], at: str) -> SourceColumn:
        require_keys(given, ("column",), (), at)
        return SourceColumn(require_column_name(given["column"], f"{at}.column"))

    def _parse_text(self, given: Mapping[str, Any], at: str) -> Constant:
        require_keys(given, ("text",), (), at)
        if not isinstance(given["text"], str):
            raise ValueError(f"{format_place(f'{at}.text')}{describe_given(given['text'])}; expected text, in quotes")
        return Constant(given["text"])

    def _parse_cast(self, given: Mapping[str, Any], at: str) -> CastExpression:
        require_keys(given, ("cast", "to"), (), at)
        to = require_word(given["to"], get_args(CastType), f"{at}.to")
        return CastExpression(self.parse(given["cast"], f"{at}.cast"), to)

    def _parse_arithmetic(self, given: Mapping[str, Any], at: str) -> ArithmeticExpression:
        op = next(one for one in get_args(ArithmeticOperator) if one in given)
        parts = self._parse_parts(given, op, at)
        if op in ("subtract", "divide") and len(parts) != 2:
            raise ValueError(f"{format_place(f'{at}.{op}')}{len(parts)} parts; expected two: {{{op}: [a, b]}}")
        return ArithmeticExpression(op, parts)

    def _parse_parts(self, given: Mapping[str, Any], op: str, at: str) -> tuple[Expression, ...]:
        require_keys(given, (op,), (), at)
        parts = given[op]
        if not isinstance(parts, list | tuple) or len(parts) < 2:
            raise ValueError(
                f"{format_place(f'{at}.{op}')}{describe_given(parts)}; expected a list of two or more: {{{op}: [a, b]}}"
            )
        return tuple(self.parse(one, f"{at}.{op}.{index}") for index, one in enumerate(parts))

    def _parse_date_part(self, given: Mapping[str, Any], at: str) -> DatePartExpression:
        require_keys(given, ("part", "of"), ("timezone",), at)
        part, zone = require_word(given["part"], get_args(DatePart), f"{at}.part"), given.get("timezone")
        if zone is not None:
            require_time_zone(zone, f"{at}.timezone")
        return DatePartExpression(part, self.parse(given["of"], f"{at}.of"), zone)

    def _parse_lookup(self, given: Mapping[str, Any], at: str) -> LookupExpression:
        require_keys(given, ("lookup",), (), at)
        wanted, at = given["lookup"], f"{at}.lookup"
        if not isinstance(wanted, Mapping):
            raise ValueError(
                f"{format_place(at)}{describe_given(wanted)}; expected {{table: …, key: {{column: …}}, value: column}}"
            )
        require_keys(wanted, ("table", "key", "value"), ("default",), at)
        key, default, key_at = wanted["key"], wanted.get("default"), f"{at}.key"
        if not isinstance(key, Mapping) or not key:
            raise ValueError(
                f"{format_place(key_at)}{describe_given(key)}; expected {{column of the table: what it must equal}}"
            )
        if default is not None and not isinstance(default, str):
            default = parse_constant(default, f"{at}.default").value
        equal = ((require_column_name(name, key_at), self.parse(one, f"{key_at}.{name}")) for name, one in key.items())
        table = require_table_name(wanted["table"], f"{at}.table")
        return LookupExpression(table, tuple(equal), require_column_name(wanted["value"], f"{at}.value"), default)
