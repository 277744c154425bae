"""Types, limits and errors of output columns. Pure."""

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from sparkscore.errors import ConfigError
from sparkscore.records import DerivedColumn, Label, field_path
from sparkscore.settings.output_column_settings import OutputColumnSettings
from sparkscore.settings.output_names import suggest_output_name

_MAX_WORDS = 200


def apply_number_limits(made: DerivedColumn, column: OutputColumnSettings) -> DerivedColumn:
    """The column with its `clip` and `round`.

    Raises:  ConfigError for what is no number, or for limits that its type does not have.
    """
    if column.clip is None and column.round is None:
        return made
    is_floating = pa.types.is_floating(made.type)
    if not is_floating and not pa.types.is_integer(made.type):
        raise unfit_column_error(column, f"clip or round of a {shorten_words(made.type)}", "a number")
    if not is_floating and column.round is not None:
        raise unfit_column_error(column, "round of a whole number", "a floating number")
    least, most = column.clip or (None, None)
    if not is_floating and any(one is not None and not one.is_integer() for one in (least, most)):
        raise unfit_column_error(column, f"clip [{least}, {most}] of a whole number", "whole limits")
    limits = [f"{word} {one:g}" for word, one in (("at least", least), ("at most", most)) if one is not None]
    rounded = [] if column.round is None else [f"rounded to {column.round} decimals"]
    kind = pa.float64() if is_floating else made.type
    comment = f"{made.comment.removesuffix('.')}; {', '.join((*limits, *rounded))}."
    return replace(made, type=kind, least=least, most=most, digits=column.round, comment=comment)


def resolve_field_path(kind: pa.DataType, path: str) -> tuple[str, ...] | None:
    """The names on a dotted path; a name may have dots itself."""
    if not pa.types.is_struct(kind):
        return None
    names = [one.name for one in kind]
    if path in names:
        return (path,)
    for name in names:
        if path.startswith(f"{name}."):
            rest = resolve_field_path(kind.field(name).type, path.removeprefix(f"{name}."))
            if rest is not None:
                return (name, *rest)
    return None


def join_field_path(path: str, names: Sequence[str]) -> str:
    """The path of a field below a part of the prediction."""
    for name in names:
        path = field_path(path, name)
    return path


def item_type(kind: pa.DataType) -> pa.DataType:
    """The type of one value: of a list's items, of a struct's fields, or of the number itself."""
    if pa.types.is_struct(kind):
        return kind.field(0).type
    return kind.value_type if pa.types.is_list(kind) else kind


def label_type(labels: Sequence[Label]) -> pa.DataType:
    """Whole numbers where all labels are, else text."""
    return pa.int64() if all(isinstance(one, int) for one in labels) else pa.string()


def shorten_words(what: object) -> str:
    """A type, or other words, as long as a message can be."""
    text = str(what)
    return text if len(text) <= _MAX_WORDS else f"{text[:_MAX_WORDS]} …"


def unfit_column_error(
    column: OutputColumnSettings, found: str, expected: str, names: Sequence[str] = ()
) -> ConfigError:
    """What to raise where a column does not fit what it is made from; `names`: what could have been meant."""
    near = ""
    if names:
        wanted = next((str(one) for one in (column.field, column.probability, column.element) if one is not None), "")
        near = suggest_output_name(wanted, names)
    return ConfigError(f"output.columns, {column.name}: {found}{near}", expected, f"correct the column {column.name}")
