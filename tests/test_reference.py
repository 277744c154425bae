"""The reference is what the code says, and complete: settings, tables, errors, results, Python, command line."""

import ast
import inspect
import re
from pathlib import Path

import pytest
from ci.reference.pages import FOLDER, PAGES, build_pages, find_stale_pages, write_pages
from ci.reference.source_text import read_attribute_texts

import sparkscore
from sparkscore.cli.main import VERBS
from sparkscore.errors import SparkscoreError
from sparkscore.schemas import TABLE_PROPERTIES
from sparkscore.settings import Settings
from sparkscore.settings.layers import iterate_setting_fields

PACKAGE = Path(sparkscore.__file__).parent
READ_ALONE = {
    *("delta.enableInCommitTimestamps", "delta.enableExpiredLogCleanup", "delta.invariants"),
    "sparkscore.rows_read",  # in the metadata of a stage's Parquet file
}
"""Names of this form that are no property which the code sets."""
_PROPERTY = re.compile(r"(sparkscore|delta)\.[A-Za-z_]+")
_ENTRY = re.compile(r"^(?:### |\| \[?)`(\w+)`", re.MULTILINE)


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return build_pages()


@pytest.mark.parametrize("name", ["README.md", *PAGES])
def test_a_page_is_what_the_code_says(name: str, pages: dict[str, str]) -> None:
    file = FOLDER / name
    fresh = file.is_file() and file.read_text(encoding="utf-8") == pages[name]
    assert fresh, f"docs/reference/{name} is stale: run `python -m ci.reference` and commit the page"


def test_a_stale_page_is_named_with_the_command_that_makes_it_fresh(tmp_path: Path) -> None:
    write_pages(tmp_path)
    (tmp_path / "tables.md").write_text("# Tables of another time\n")
    (tmp_path / "strange.md").write_text("")
    assert find_stale_pages(tmp_path) == [
        "docs/reference/tables.md is stale: run `python -m ci.reference` and commit the page",
        "docs/reference/strange.md is made by nothing: remove it",
    ]


def test_the_page_of_python_has_an_entry_for_exactly_what_is_exported(pages: dict[str, str]) -> None:
    assert sorted(_ENTRY.findall(pages["python.md"])) == sorted(sparkscore.__all__)


@pytest.mark.parametrize("name", sparkscore.__all__)
def test_what_is_exported_has_a_docstring(name: str) -> None:
    exported = getattr(sparkscore, name)
    text = exported.__doc__ if callable(exported) else read_attribute_texts(sparkscore).get(name)
    assert text, f"{name} is exported and says nothing of itself: give it a docstring"


@pytest.mark.parametrize("name", [name for name in sparkscore.__all__ if inspect.isfunction(getattr(sparkscore, name))])
def test_an_exported_function_is_typed(name: str) -> None:
    signature = inspect.signature(getattr(sparkscore, name))
    untyped = [one.name for one in signature.parameters.values() if one.annotation is inspect.Parameter.empty]
    assert not untyped, f"{name} has parameters without a type"
    assert signature.return_annotation is not inspect.Signature.empty, f"{name} has no type of its result"


def test_every_setting_is_described_with_its_flag_and_its_variable(pages: dict[str, str]) -> None:
    assert not [name for name, info in iterate_setting_fields(Settings) if not info.description]
    for name, _ in iterate_setting_fields(Settings):
        variable = f"SPARKSCORE_{name.replace('.', '__').upper()}"
        assert f"| `{name}`<br>`--{name}`<br>`{variable}` |" in pages["settings.md"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_described_with_the_subcommands(verb: str, pages: dict[str, str]) -> None:
    for name in (verb, *(f"{verb} {inner}" for inner in VERBS[verb].subcommands)):
        assert f"# `sparkscore {name}`\n" in pages["command-line.md"]


def test_every_error_says_what_to_do(pages: dict[str, str]) -> None:
    exported = [getattr(sparkscore, name) for name in sparkscore.__all__]
    kinds = [one for one in exported if inspect.isclass(one) and issubclass(one, SparkscoreError)]
    assert all(kind.remedy and f"`{kind.__name__}` | {kind.exit_code} |" in pages["errors.md"] for kind in kinds)


def test_every_property_that_the_code_sets_is_described() -> None:
    files = [file for package in ("store", "stage", "publish") for file in (PACKAGE / package).rglob("*.py")]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert {text for text in texts if _PROPERTY.fullmatch(text)} == TABLE_PROPERTIES.keys() | READ_ALONE
