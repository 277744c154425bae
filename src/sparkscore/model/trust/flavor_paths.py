"""Paths in an MLmodel file, of every flavour and at any depth: all of them stay in the model's folder."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from sparkscore.errors import TrustRefused

_UNREAD = re.compile(
    r"python_function\.(config|model_config|model_code_path)(\..*)?"
    r"|(sentence_)?transformers\.\w+_name|transformers\.prompt_template"
    r"|[^.]+\.(artifacts\..+|extra_files\.\d+|requirements_file)\.uri"
)
"""What MLflow does not read as a path: words for the model's own code, the script of which it takes the last part,
names on a hub (`flavor_loading.py` looks at those that are fetched), and where a file came from when it was logged."""
_NO_FOLDER = re.compile(r"(?:[/~\\]|[A-Za-z]:[\\/]|[A-Za-z][A-Za-z0-9+.-]*:/)")
"""How something begins that is no path inside a folder: absolute, of a home, of Windows, or of a scheme."""
_EXAMPLE_KEY = "saved_input_example_info"


def refuse_outside_paths(mlmodel: Mapping[str, Any]) -> None:
    """Refuse an MLmodel file in which anything that could be read as a path leads out of the model's folder.

    Runs on: driver | executor.
    Raises:  TrustRefused.
    """
    parts = {**mlmodel["flavors"], _EXAMPLE_KEY: mlmodel.get(_EXAMPLE_KEY)}
    for name, value in _iterate_flavor_texts(parts, ""):
        if is_outside_path(value):
            raise TrustRefused(
                f"{name} of the MLmodel file points outside the model's folder",
                "a path inside it",
                "log the model again, with all that it needs among its artifacts",
            )


def is_outside_path(text: str) -> bool:
    """Whether a text, read as a path, leaves the folder that it begins in."""
    return (
        _NO_FOLDER.match(text) is not None
        or "\0" in text
        or ".." in PurePosixPath(text).parts
        or ".." in text.split("\\")
    )


def _iterate_flavor_texts(value: object, name: str) -> Iterator[tuple[str, str]]:
    """Every text in a value that may be read as a path, with its dotted name."""
    if _UNREAD.fullmatch(name):
        return
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _iterate_flavor_texts(inner, f"{name}.{index}")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _iterate_flavor_texts(inner, f"{name}.{key}".lstrip("."))
