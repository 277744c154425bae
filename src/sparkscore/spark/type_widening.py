"""Compares Spark's types: what a type lacks, holds besides, or holds too narrow for another. Runs on the driver."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from pyspark.sql.types import (
    ArrayType,
    ByteType,
    DataType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    ShortType,
    StructField,
    StructType,
)

from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.sql_texts import name_expression, null_literal, struct_text, type_text

_INTEGER_DIGITS: dict[type[DataType], int] = {ByteType: 3, ShortType: 5, IntegerType: 10, LongType: 19}
_EXACT_IN_FLOAT = (ByteType, ShortType)
_EXACT_IN_DOUBLE = (ByteType, ShortType, IntegerType, FloatType)


@dataclass(frozen=True, slots=True)
class TypeDifference:
    """One way in which a type that is found is not the one that is wanted."""

    kind: Literal["missing", "unwritten", "narrow", "clash"]
    """The field is missing; only the found type has it; the found type holds fewer values; neither holds the other."""
    path: tuple[str, ...]
    """The field: names of structs; `element`, `key` and `value` within arrays and maps."""
    found: DataType | None
    wanted: DataType | None

    @property
    def name(self) -> str:
        """The path as people write it."""
        return ".".join(self.path)


def can_hold_type(wide: DataType, narrow: DataType) -> bool:
    """Whether a plain type holds every value of another one as it is."""
    if wide == narrow:
        return True
    digits = _INTEGER_DIGITS.get(type(narrow))
    if isinstance(wide, DecimalType):
        whole, scale = wide.precision - wide.scale, wide.scale
        if isinstance(narrow, DecimalType):
            return whole >= narrow.precision - narrow.scale and scale >= narrow.scale
        return digits is not None and whole >= digits
    if isinstance(wide, DoubleType):
        return isinstance(narrow, _EXACT_IN_DOUBLE)
    if isinstance(wide, FloatType):
        return isinstance(narrow, _EXACT_IN_FLOAT)
    return digits is not None and _INTEGER_DIGITS.get(type(wide), 0) >= digits


def compare_types(found: DataType, wanted: DataType, path: tuple[str, ...] = ()) -> Iterator[TypeDifference]:
    """The differences of two types, field by field. A field whose found type is wider is none."""
    if isinstance(found, StructType) and isinstance(wanted, StructType):
        yield from _compare_structs(found, wanted, path)
    elif isinstance(found, ArrayType) and isinstance(wanted, ArrayType):
        yield from compare_types(found.elementType, wanted.elementType, (*path, "element"))
    elif isinstance(found, MapType) and isinstance(wanted, MapType):
        yield from compare_types(found.keyType, wanted.keyType, (*path, "key"))
        yield from compare_types(found.valueType, wanted.valueType, (*path, "value"))
    elif not can_hold_type(found, wanted):
        kind: Literal["narrow", "clash"] = "narrow" if can_hold_type(wanted, found) else "clash"
        yield TypeDifference(kind, path, found, wanted)


def _compare_structs(found: StructType, wanted: StructType, path: tuple[str, ...]) -> Iterator[TypeDifference]:
    by_name, spellings = {one.name: one for one in found}, {one.name.casefold() for one in found}
    for field in wanted:
        own = (*path, field.name)
        if field.name in by_name:
            yield from compare_types(by_name[field.name].dataType, field.dataType, own)
        elif field.name.casefold() in spellings:  # Delta tells no names apart by case
            yield TypeDifference("clash", own, None, field.dataType)
        else:
            yield TypeDifference("missing", own, None, field.dataType)
    names = set(wanted.names)
    yield from (
        TypeDifference("unwritten", (*path, one.name), one.dataType, None) for one in found if one.name not in names
    )


def describe_missing_fields(differences: Iterable[TypeDifference]) -> tuple[str, ...]:
    """The fields that the found type lacks, as `name type`."""
    return tuple(
        f"{one.name} {one.wanted.simpleString()}"
        for one in differences
        if one.kind == "missing" and one.wanted is not None
    )


def grow_type(found: DataType, wanted: DataType) -> DataType:
    """The found type with what it lacks of the other, behind what it has: fields, and NULL inside of nested values.

    Needs:   no clash between the two.
    """
    if isinstance(found, StructType) and isinstance(wanted, StructType):
        return grow_struct(found, wanted)
    if isinstance(found, ArrayType) and isinstance(wanted, ArrayType):
        element = grow_type(found.elementType, wanted.elementType)
        return ArrayType(element, found.containsNull or wanted.containsNull)
    if isinstance(found, MapType) and isinstance(wanted, MapType):
        value = grow_type(found.valueType, wanted.valueType)
        return MapType(found.keyType, value, found.valueContainsNull or wanted.valueContainsNull)
    return found


def grow_struct(found: StructType, wanted: StructType, *, top: bool = False) -> StructType:
    """As `grow_type`. At the `top` whether a column may be NULL stays as it is: it says what a key is."""
    fields = []
    for field in found:
        other = wanted[field.name] if field.name in wanted.names else None
        kind = field.dataType if other is None else grow_type(field.dataType, other.dataType)
        nullable = field.nullable or (not top and (other is None or other.nullable))
        fields.append(StructField(field.name, kind, nullable, field.metadata))
    added = [StructField(one.name, one.dataType, True, one.metadata) for one in wanted if one.name not in found.names]
    return StructType([*fields, *added])


def widen_field(found: StructType, path: tuple[str, ...], wanted: DataType) -> StructType:
    """The type with another plain type at a path."""
    return StructType(
        [
            StructField(one.name, _replace_type(one.dataType, path[1:], wanted), one.nullable, one.metadata)
            if one.name == path[0]
            else one
            for one in found
        ]
    )


def _replace_type(found: DataType, path: tuple[str, ...], wanted: DataType) -> DataType:
    if not path:
        return wanted
    if isinstance(found, StructType):
        return widen_field(found, path, wanted)
    if isinstance(found, ArrayType):
        return ArrayType(_replace_type(found.elementType, path[1:], wanted), found.containsNull)
    if isinstance(found, MapType):
        value = _replace_type(found.valueType, path[1:], wanted)
        return MapType(found.keyType, value, found.valueContainsNull)
    return found


def is_same_type(one: DataType, other: DataType) -> bool:
    """Whether two types are equal, apart from where NULL may be."""
    return one.simpleString() == other.simpleString()


def _align_expression(expression: str, found: DataType, wanted: DataType, depth: int = 0) -> str:
    """An expression of one type as one of a wider type, as SQL: fields that it lacks are NULL.

    Needs:   a column's quoted name, or a part of one; a type that has all fields of the found one.
    """
    if is_same_type(found, wanted):
        return expression
    item = f"_item{depth}"
    if isinstance(found, StructType) and isinstance(wanted, StructType):
        own = {field.name: f"{expression}.{quote_identifier(field.name)}" for field in wanted}
        parts = {field.name: _align_field(own[field.name], found, field, depth) for field in wanted}
        return f"CASE WHEN {expression} IS NOT NULL THEN {struct_text(parts)} END"
    if isinstance(found, ArrayType) and isinstance(wanted, ArrayType):
        aligned = _align_expression(item, found.elementType, wanted.elementType, depth + 1)
        return f"transform({expression}, {item} -> {aligned})"
    if isinstance(found, MapType) and isinstance(wanted, MapType):
        aligned = _align_expression(item, found.valueType, wanted.valueType, depth + 1)
        return f"transform_values({expression}, (_key{depth}, {item}) -> {aligned})"
    return f"CAST({expression} AS {type_text(wanted)})"


def _align_field(own: str, found: StructType, field: StructField, depth: int = 0) -> str:
    if field.name not in found.names:
        return null_literal(field.dataType)
    return _align_expression(own, found[field.name].dataType, field.dataType, depth)


def align_columns(found: StructType, wanted: Iterable[StructField]) -> list[str]:
    """The columns of a schema as those of another one, as SQL: NULL where it lacks one."""
    return [name_expression(_align_field(quote_identifier(field.name), found, field), field.name) for field in wanted]
