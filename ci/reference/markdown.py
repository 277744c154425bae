"""Markdown out of texts."""

from collections.abc import Iterable, Sequence


def format_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_escape_cell(cell) for cell in line)} |" for line in lines)


def format_code(text: str) -> str:
    """The text as inline code; nothing where there is none."""
    return f"`{text}`" if text else ""


def escape_words(text: str) -> str:
    """Words of the code as Markdown that shows them as they are: code stays code, `<table>` is no tag."""
    parts = text.split("`")
    return "`".join(part if index % 2 else part.replace("<", "&lt;") for index, part in enumerate(parts))


def format_page(title: str, parts: Iterable[str]) -> str:
    """A page: its parts are separated by empty lines."""
    return "\n\n".join([f"# {title}", *(part for part in parts if part)]) + "\n"


def _escape_cell(cell: str) -> str:
    return " ".join(cell.split()).replace("|", "\\|")
