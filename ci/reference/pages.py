"""The pages of the reference by file name, and what keeps them fresh."""

from collections.abc import Callable, Mapping
from pathlib import Path

from ci.reference.command_page import build_command_page
from ci.reference.error_page import build_error_page
from ci.reference.python_page import build_python_page
from ci.reference.result_page import build_result_page
from ci.reference.setting_page import build_setting_page
from ci.reference.table_page import build_table_page

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
COMMAND = "python -m ci.reference"

PAGES: Mapping[str, tuple[str, Callable[[], str]]] = {
    "settings.md": ("every setting: flag, environment variable, type, default", build_setting_page),
    "command-line.md": ("every command and its flags", build_command_page),
    "results.md": ("the keys of the result line", build_result_page),
    "errors.md": ("every error class, its exit code, what to do", build_error_page),
    "tables.md": ("every table that is written: columns, types, units, properties", build_table_page),
    "python.md": ("everything that `sparkscore` exports", build_python_page),
}
"""What a page holds, and what makes it."""


def build_pages() -> dict[str, str]:
    """The text of every page by file name, the index among them."""
    lines = [f"- [{name.removesuffix('.md')}]({name}): {holds}" for name, (holds, _) in PAGES.items()]
    index = "\n".join(["# Reference", "", f"Made from the code by `{COMMAND}`.", "", *lines, ""])
    return {"README.md": index, **{name: build() for name, (_, build) in PAGES.items()}}


def write_pages(folder: Path) -> None:
    """Write every page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in build_pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def find_stale_pages(folder: Path) -> list[str]:
    """What is wrong with the pages of a folder, one line each: another text than the code gives, or no page of ours."""
    pages = build_pages()
    stale = [name for name, text in pages.items() if not _has_text(folder / name, text)]
    strange = [file.name for file in sorted(folder.glob("*")) if file.name not in pages]
    return [
        *(f"docs/reference/{name} is stale: run `{COMMAND}` and commit the page" for name in stale),
        *(f"docs/reference/{name} is made by nothing: remove it" for name in strange),
    ]


def _has_text(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text
