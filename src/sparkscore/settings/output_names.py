"""Names of source columns in the prediction table. Pure."""

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

_UNWRITABLE_CHARACTERS = " ,;{}()\n\t="
"""What Delta refuses in the name of a column without column mapping, which plain readers do not know."""
_MAX_SHOWN_NAMES = 20
_TO_PLAIN = str.maketrans(dict.fromkeys(_UNWRITABLE_CHARACTERS, "_"))


def to_plain_name(column: str) -> str:
    """The name with `_` for each character that a plain Delta table cannot have in a name: `Order No` -> `Order_No`."""
    return column.translate(_TO_PLAIN)


def is_plain_name(column: str) -> bool:
    """Whether a plain Delta table can have a column, or a field of a struct, of this name."""
    return bool(column) and column == to_plain_name(column)


def map_output_names(columns: Sequence[str], rename: Mapping[str, str]) -> dict[str, str]:
    """The name in the prediction table of each source column that is copied there."""
    return {column: rename.get(column, to_plain_name(column)) for column in columns}


def explicit_renames(columns: Sequence[str], rename: Mapping[str, str]) -> dict[str, str]:
    """The names that differ from what they would be without `output.rename`."""
    return {column: name for column, name in rename.items() if column in columns and name != to_plain_name(column)}


def find_rename_problems(columns: Sequence[str], rename: Mapping[str, str]) -> list[str]:
    """What is wrong with the names of the columns in the prediction table, in words; nothing where they can be written.

    Names are compared without case, as Spark does.
    """
    unused = [column for column in rename if column not in columns]
    unwritable = [name for name in rename.values() if not is_plain_name(name)]
    names: dict[str, list[str]] = {}
    for column, name in map_output_names(columns, rename).items():
        names.setdefault(name.lower(), []).append(column)
    shared = [" and ".join(same) for same in names.values() if len(same) > 1]
    problems = {
        "names columns that are neither keys nor in source.passthrough": unused,
        f"holds names with one of {_UNWRITABLE_CHARACTERS!r}, or empty ones": [repr(name) for name in unwritable],
        "has to give other names to columns that would have the same name in the prediction table": shared,
    }
    return [f"output.rename {what}: {', '.join(found)}" for what, found in problems.items() if found]


def suggest_output_name(name: str, names: Collection[str]) -> str:
    """What names there are, for the end of a message: the nearest one, else the first ones."""
    near = get_close_matches(name.lower(), [one.lower() for one in names], n=1)
    if near:
        return f" (did you mean {next(one for one in names if one.lower() == near[0])}?)"
    shown = sorted(names)[:_MAX_SHOWN_NAMES]
    return f" ({', '.join(shown)}{' …' if len(names) > len(shown) else ''})"
