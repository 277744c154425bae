"""What the package says of itself, and that its documents use nothing but what it exports."""

import re
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

import sparkscore

ROOT = Path(__file__).resolve().parents[1]
_IMPORT_OF_A_SUB_PACKAGE = re.compile(r"^\s*(?:>>> )?(?:from|import) +sparkscore\.\S*", re.MULTILINE)
_CODE_BLOCK = re.compile(r"^( *)(```+|~~~+)[^\n]*\n(.*?)^\1\2", re.MULTILINE | re.DOTALL)


def _documents() -> list[Path]:
    patterns = ("*.md", "docs/**/*.md", "conf/**/*.md", "notebooks/*.py", "notebooks/*.ipynb")
    return [file for pattern in patterns for file in ROOT.glob(pattern)]


def _internal_imports(text: str, *, is_markdown: bool) -> list[str]:
    code = "\n".join(block[2] for block in _CODE_BLOCK.findall(text)) if is_markdown else text
    return [found.strip() for found in _IMPORT_OF_A_SUB_PACKAGE.findall(code)]


def test_the_version_has_one_source() -> None:
    built = ProjectMetadata(str(ROOT), PluginManager())
    assert sparkscore.__version__ == built.version == version("sparkscore")


def test_the_metadata_name_authors_pythons_and_neutral_addresses() -> None:
    built = ProjectMetadata(str(ROOT), PluginManager()).core
    assert built.authors_data["name"]
    assert {urlsplit(url).hostname for url in built.urls.values()} == {"github.com"}
    pythons = {name.rpartition(" ")[2] for name in built.classifiers if "Python :: 3." in name}
    assert min(pythons) == built.requires_python.removeprefix(">=")


@pytest.mark.parametrize("file", _documents(), ids=lambda file: str(file.relative_to(ROOT)))
def test_documents_and_notebooks_import_from_nowhere_but_the_package(file: Path) -> None:
    found = _internal_imports(file.read_text(encoding="utf-8"), is_markdown=file.suffix == ".md")
    assert not found, f"{file.relative_to(ROOT)}: {found} imports from a sub-package: import from sparkscore itself"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("```python\nfrom sparkscore.errors import ConfigError\n```\n", ["from sparkscore.errors"]),
        ("- item\n\n  ```python\n  import sparkscore.settings\n  ```\n", ["import sparkscore.settings"]),
        ("```python\nfrom sparkscore import Settings\n```\n", []),
        ("A sentence about\nfrom sparkscore.errors import, no code.\n", []),
    ],
)
def test_an_import_from_a_sub_package_is_found_in_code_alone(text: str, found: list[str]) -> None:
    assert _internal_imports(text, is_markdown=True) == found
