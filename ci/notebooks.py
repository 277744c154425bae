"""The notebooks as pages with pictures: each is run from its first to its last cell, in a process of its own.

    python -m ci.notebooks                       runs all of them, and writes docs/notebooks
    python -m ci.notebooks first_run --out DIR   runs one, and writes its page elsewhere
    python -m ci.notebooks --check               says which pages are older than their notebook, and which pairs differ
    python -m ci.notebooks --to-ipynb            writes the .ipynb beside each notebook; runs nothing
    python -m ci.notebooks --to-py first_run     writes the .py of an .ipynb that was edited; runs nothing

A notebook is a Python file with cells (`# %%`, `# %% [markdown]`), which jupytext opens as one, and the same cells as
an .ipynb, without outputs.
"""

import argparse
import ast
import contextlib
import hashlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ci.notebook_pairs import BrokenNotebook, describe_difference, pair_notebook, read_cells

ROOT = Path(__file__).resolve().parents[1]
FOLDER, PAGES = ROOT / "notebooks", ROOT / "docs" / "notebooks"
NAMES = ("first_run", "predictions_of_a_key", "drift_and_decay", "champion_and_challenger", "embeddings_of_texts")
SHARED = "example_shop"
PAIRED = (*NAMES, "read_predictions")
"""The notebooks that have an .ipynb; the last is one of Databricks, and has no page."""
_MOST_ROWS, _DOTS_PER_INCH = 12, 80


def hash_notebook(name: str) -> str:
    """What a page says of the files that it was made from."""
    files = (FOLDER / f"{name}.py", FOLDER / f"{SHARED}.py")
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def find_stale_pages() -> list[str]:
    """The notebooks without a page, or with one of an earlier text."""
    pages = {name: PAGES / f"{name}.md" for name in NAMES}
    return [
        name for name, page in pages.items() if not page.is_file() or hash_notebook(name) not in page.read_text("utf-8")
    ]


def find_broken_pairs() -> list[str]:
    """How the two files of a notebook differ, in words."""
    found: list[str] = []
    for name in PAIRED:
        python, ipynb = (FOLDER / f"{name}{ending}" for ending in (".py", ".ipynb"))
        other = ipynb.read_text("utf-8") if ipynb.is_file() else None
        found += describe_difference(name, python.read_text("utf-8"), other)
    return found


def write_page(name: str, out: Path) -> None:
    """Run a notebook in this process, and write its page and its pictures.

    Raises:  whatever a cell raises.
    """
    os.environ["MPLBACKEND"] = "agg"
    sys.path.insert(0, str(FOLDER))
    out.mkdir(parents=True, exist_ok=True)
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "__main__"}
    parts = [f"<!-- Made by `python -m ci.notebooks` from notebooks/{name}.py: {hash_notebook(name)} -->"]
    pictures = _PictureWriter(name, out)
    for cell in read_cells(text):
        if cell.is_text:
            parts.append(cell.source)
        else:
            parts += [f"```python\n{_without_marks(cell.source)}\n```", *_run_cell(cell.source, names, pictures)]
    python, ipynb = (f"[notebooks/{name}{ending}](../../notebooks/{name}{ending})" for ending in (".py", ".ipynb"))
    parts.append(f"The notebook is {python}; for Jupyter and Databricks, {ipynb}.")
    (out / f"{name}.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _without_marks(source: str) -> str:
    """Code as people read it: without what it says to linters."""
    return re.sub(r"  # (noqa|type): .*$", "", source, flags=re.MULTILINE)


class _PictureWriter:
    """Keeps the figures of a notebook as files."""

    def __init__(self, name: str, out: Path) -> None:
        self.name, self.out, self.count = name, out, 0

    def keep_figures(self) -> Iterator[str]:
        import matplotlib.pyplot as plt

        for number in plt.get_fignums():
            self.count += 1
            file = f"{self.name}-{self.count}.png"
            figure = plt.figure(number)
            figure.savefig(self.out / file, dpi=_DOTS_PER_INCH)
            yield f"![{figure.axes[0].get_title()}]({file})"
        plt.close("all")


def _run_cell(source: str, names: dict[str, Any], pictures: _PictureWriter) -> Iterator[str]:
    """Run a cell; what it has printed, its last value, its figures."""
    tree = ast.parse(source)
    end = tree.body[-1] if tree.body else None
    last = end if isinstance(end, ast.Expr) else None
    tree.body = tree.body[:-1] if last is not None else tree.body
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), names)  # noqa: S102  the notebooks of this repository
        value = None if last is None else eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)  # noqa: S307
    if printed.getvalue().strip():
        yield f"```text\n{printed.getvalue().rstrip()}\n```"
    figures = [*pictures.keep_figures()]
    if value is not None and not figures:
        yield _show_value(value)
    yield from figures


def _show_value(value: Any) -> str:
    if not hasattr(value, "columns") or not hasattr(value, "itertuples"):
        return f"```text\n{value!r}\n```"
    frame = value if value.index.name is None else value.reset_index()
    shown = [list(map(str, frame.columns)), ["---"] * len(frame.columns)]
    shown += [[_show_cell(one) for one in row] for row in frame.head(_MOST_ROWS).itertuples(index=False)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in shown)


def _show_cell(value: Any) -> str:
    if value is None or value != value:  # NaN  # noqa: PLR0124
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value).removesuffix(" 00:00:00").replace("|", "\\|")


def main() -> None:
    """Run notebooks, or check their pages."""
    parser = argparse.ArgumentParser(description="Notebooks as pages")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--out", type=Path, default=PAGES)
    parser.add_argument("--check", action="store_true", help="pages and pairs, and run nothing")
    parser.add_argument("--to-ipynb", action="store_true", help="write the .ipynb of each .py")
    parser.add_argument("--to-py", action="store_true", help="write the .py of each .ipynb, and that without outputs")
    parser.add_argument("--here", action="store_true", help="in this process: one notebook")
    given = parser.parse_args()
    if given.check:
        stale = [f"the page of {name} is older than its notebook" for name in find_stale_pages()] + find_broken_pairs()
        print(*stale, sep="\n")  # noqa: T201
        sys.exit(1 if stale else 0)
    if given.to_ipynb or given.to_py:
        for name in given.names or PAIRED:
            try:
                pair_notebook(FOLDER / f"{name}.py", to_python=given.to_py)
            except (BrokenNotebook, OSError) as error:
                sys.exit(f"notebooks/{name}.ipynb: {error}")
        return
    if given.here:
        write_page(given.names[0], given.out)
        return
    for name in given.names or NAMES:
        words = [sys.executable, "-m", "ci.notebooks", "--here", name, "--out", given.out.resolve()]
        subprocess.run(words, check=True, cwd=ROOT)  # noqa: S603  ourselves


if __name__ == "__main__":
    main()
