"""The notebooks in Jupyter's own format, beside their Python files: cells alone, without outputs.

A pair holds the same cells. `python -m ci.notebooks --to-ipynb` writes the one, `--to-py` the other.
"""

import ast
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PERCENT_CELL = re.compile(r"^# %%(?P<kind>.*)$", re.MULTILINE)
_DATABRICKS_HEAD, _DATABRICKS_CELL = "# Databricks notebook source\n", "# COMMAND ----------\n"
_MAGIC, _TEXT_MAGIC = "# MAGIC ", "# MAGIC %md\n"
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_CURE = "`python -m ci.notebooks --to-ipynb` where the .py is right, `--to-py` where the .ipynb is"


@dataclass(frozen=True)
class Cell:
    """A piece of a notebook."""

    is_text: bool
    source: str
    """Of a text without the `#` before its lines."""


class BrokenNotebook(Exception):
    """A notebook that cannot be paired, and why."""


def read_cells(text: str) -> list[Cell]:
    """The cells of a notebook, without its header: in jupytext's percent format, or in that of Databricks."""
    if text.startswith(_DATABRICKS_HEAD):
        parts = text.removeprefix(_DATABRICKS_HEAD).split(_DATABRICKS_CELL)
        return [_read_databricks_cell(part.strip("\n")) for part in parts]
    marks = [*_PERCENT_CELL.finditer(text)]
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        _make_cell(text[mark.end() : end].strip("\n"), is_text="[markdown]" in mark["kind"])
        for mark, end in zip(marks, ends, strict=True)
    ]


def write_cells(cells: Sequence[Cell], *, like: str) -> str:
    """A Python file of these cells, with the header and in the format of another one."""
    if like.startswith(_DATABRICKS_HEAD):
        texts = [_TEXT_MAGIC + _prefix_lines(one.source, _MAGIC) if one.is_text else one.source for one in cells]
        apart = (f"{text}\n" if one.is_text else f"\n{text}\n" for one, text in zip(cells, texts, strict=True))
        return _DATABRICKS_HEAD + f"\n{_DATABRICKS_CELL}".join(apart)
    head = like[: match.start()] if (match := _PERCENT_CELL.search(like)) else ""
    parts = [
        f"# %% [markdown]\n{_prefix_lines(one.source, '# ')}\n" if one.is_text else f"# %%\n{one.source}\n"
        for one in cells
    ]
    return head + "\n".join(parts)


def to_ipynb(cells: Sequence[Cell]) -> str:
    """The cells in Jupyter's format, always in the same words: the id of a cell is made of what it holds."""
    known: dict[str, int] = {}
    made: list[dict[str, Any]] = []
    for cell in cells:
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:12]
        known[digest] = known.get(digest, 0) + 1
        made.append(
            {
                "cell_type": "markdown" if cell.is_text else "code",
                **({} if cell.is_text else {"execution_count": None}),
                "id": digest if known[digest] == 1 else f"{digest}-{known[digest]}",
                "metadata": {},
                **({} if cell.is_text else {"outputs": []}),
                "source": cell.source.splitlines(keepends=True),
            }
        )
    found = {"cells": made, "metadata": _METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def read_ipynb(text: str) -> list[Cell]:
    """The cells of a notebook in Jupyter's format; what they have put out is left out.

    Raises:  BrokenNotebook for what is none, and for a cell that a Python file cannot hold.
    """
    try:
        found: Mapping[str, Any] = json.loads(text)
        cells = [Cell(one["cell_type"] != "code", "".join(one["source"]).strip("\n")) for one in found["cells"]]
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenNotebook(f"it is no notebook of Jupyter's: {type(error).__name__}: {error}") from error
    for number, cell in enumerate(cells, start=1):
        if not cell.is_text:
            _check_code(number, cell.source)
    return cells


def describe_difference(name: str, python: str, ipynb: str | None) -> Iterator[str]:
    """In words, how the two files of a pair differ, and what to do; nothing where they agree."""
    if ipynb is None:
        yield f"notebooks/{name}.ipynb is missing: run `python -m ci.notebooks --to-ipynb {name}`"
        return
    cells = read_cells(python)
    if ipynb == to_ipynb(cells):
        return
    try:
        others = read_ipynb(ipynb)
    except BrokenNotebook as error:
        yield f"notebooks/{name}.ipynb: {error}"
        return
    at = next((at for at, pair in enumerate(zip(cells, others, strict=False), 1) if pair[0] != pair[1]), None)
    if at is None and len(cells) == len(others):
        yield f"notebooks/{name}.ipynb holds outputs or settings: run `python -m ci.notebooks --to-ipynb {name}`"
    else:
        yield f"notebooks/{name}.py and .ipynb differ from cell {at or min(len(cells), len(others)) + 1} on: {_CURE}"


def pair_notebook(file: Path, *, to_python: bool = False) -> None:
    """Write the .ipynb of a Python file; `to_python`: first the Python file of its .ipynb, as somebody has edited it.

    Raises:  BrokenNotebook; OSError.
    """
    other = file.with_suffix(".ipynb")
    if to_python:
        cells = read_ipynb(other.read_text(encoding="utf-8"))
        like = file.read_text(encoding="utf-8")
        if cells != read_cells(like):
            made = write_cells(cells, like=like)
            if read_cells(made) != cells:
                raise BrokenNotebook("one of its cells has a line that begins a cell in a Python file: # %%")
            file.write_text(made, encoding="utf-8")
    other.write_text(to_ipynb(read_cells(file.read_text(encoding="utf-8"))), encoding="utf-8")


def _make_cell(source: str, *, is_text: bool) -> Cell:
    return Cell(is_text, re.sub(r"^# ?", "", source, flags=re.MULTILINE) if is_text else source)


def _read_databricks_cell(source: str) -> Cell:
    if not source.startswith(_TEXT_MAGIC):
        return Cell(is_text=False, source=source)
    lines = source.removeprefix(_TEXT_MAGIC).splitlines()
    return Cell(is_text=True, source="\n".join(line.removeprefix(_MAGIC.rstrip()).removeprefix(" ") for line in lines))


def _prefix_lines(text: str, prefix: str) -> str:
    return "\n".join(f"{prefix}{line}".rstrip() for line in text.splitlines())


def _check_code(number: int, source: str) -> None:
    try:
        ast.parse(source)
    except SyntaxError as error:
        raise BrokenNotebook(
            f"cell {number} is no Python ({error.msg}): commands of Jupyter's (%…, !…) have no place in the .py"
        ) from error
