"""The lint of names finds what it is for."""

from pathlib import Path

import pytest
from ci.names import faults


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"a.py": "def load_run(): ...\n", "b.py": "def store_run(): ...\n"}, None),
        ({"a.py": "def load_run(): ...\n", "b.py": "class load_run: ...\n"}, "load_run is defined in a.py, b.py"),
        ({"a.py": "def _load_run(): ...\n", "b.py": "def load_run(): ...\n"}, "load_run is defined in a.py, b.py"),
        ({"one/a.py": "", "two/a.py": ""}, "a file named a.py is in one/a.py, two/a.py"),
        ({"one/__init__.py": "", "two/__init__.py": ""}, None),
        ({"a.py": "def published(): ...\n"}, "published is named by a participle alone"),
        ({"a.py": "def _told(): ...\n"}, "_told is named by a participle alone"),
        ({"a.py": "def feed(): ...\n"}, None),
    ],
)
def test_names_that_nobody_finds_are_found(tmp_path: Path, files: dict[str, str], found: str | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    lines = faults(tmp_path)
    assert lines == [] if found is None else found in lines[0]
