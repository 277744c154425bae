"""The page of the Python interface, from what `sparkscore` exports."""

import inspect
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from ci.reference.markdown import escape_words, format_code, format_page, format_table
from ci.reference.source_text import read_attribute_texts, read_signature, read_summary

import sparkscore
from sparkscore.errors import SparkscoreError

_INTRODUCTION = """\
Everything that a user needs is exported by `sparkscore`; its sub-packages are no interface and change without
notice. In a docstring, *Needs* says what an argument has to be, *Jobs* which Spark jobs a call starts, *Raises*
which [errors](errors.md) it ends with."""
_SECTION = re.compile(r"^(Needs|Jobs|Raises|Grain|Runs on|Shapes): *")


def build_python_page() -> str:
    """The page."""
    exported = {name: getattr(sparkscore, name) for name in sparkscore.__all__}
    functions = [
        part for name, one in exported.items() if inspect.isfunction(one) for part in _format_function(name, one)
    ]
    classes = [part for name, one in exported.items() if _is_plain_class(one) for part in _format_class(name, one)]
    kinds = [name for name, one in exported.items() if inspect.isclass(one) and issubclass(one, SparkscoreError)]
    values = [name for name, one in exported.items() if not callable(one)]
    errors = [(f"[{format_code(name)}](errors.md#classes)", _summary(exported[name])) for name in kinds]
    parts = [_INTRODUCTION, "## Functions", *functions, "## Classes", *classes, "## Errors"]
    parts += [
        format_table(("name", "meaning"), errors),
        "## Values",
        format_table(("name", "meaning"), _value_rows(values)),
    ]
    return format_page("Python", parts)


def _is_plain_class(one: Any) -> bool:
    return inspect.isclass(one) and not issubclass(one, SparkscoreError)


def _value_rows(names: list[str]) -> Iterator[tuple[str, str]]:
    texts = read_attribute_texts(sparkscore)
    yield from ((format_code(name), escape_words(texts[name])) for name in names)


def _format_function(name: str, function: Any) -> list[str]:
    return [f"### `{name}`", f"```python\n{read_signature(function, name)}\n```", *_format_docstring(function)]


def _format_docstring(documented: Any) -> list[str]:
    """Paragraphs as they are, and a list of the sections `Needs:`, `Jobs:`, `Raises:`."""
    paragraphs, sections = [], list[str]()
    for block in (inspect.getdoc(documented) or "").split("\n\n"):
        if _SECTION.match(block):
            sections += _split_sections(block)
        else:
            paragraphs.append(escape_words(block))
    return [*paragraphs, "\n".join("- " + _SECTION.sub(r"**\1**: ", one) for one in sections)]


def _split_sections(block: str) -> list[str]:
    """One text per section; what is indented goes on."""
    lines = list[str]()
    for line in block.splitlines():
        if _SECTION.match(line):
            lines.append(escape_words(line.strip()))
        else:
            lines[-1] += f" {escape_words(line.strip())}"
    return lines


def _format_class(name: str, kind: type) -> list[str]:
    parts = [f"### `{name}`", *_format_docstring(kind)]
    where = {
        "Settings": "[Its fields are the settings.](settings.md)",
        "RunReport": "[Its fields are the keys of the result line.](results.md)",
    }
    return [*parts, where.get(name, ""), format_table(("member", "meaning"), _member_rows(name, kind))]


def _member_rows(name: str, kind: type) -> Iterator[tuple[str, str]]:
    for member, value in vars(kind).items():
        if member.startswith("_"):
            continue
        if isinstance(value, property | cached_property):
            yield format_code(f"{name}.{member}"), _summary(value)
        elif isinstance(value, classmethod | staticmethod):
            yield _format_method(f"{name}.{member}", value.__func__, is_method=isinstance(value, classmethod))
        elif inspect.isfunction(value):
            yield _format_method(f"{name}.{member}", value, is_method=True)


def _format_method(name: str, function: Any, *, is_method: bool) -> tuple[str, str]:
    signature = " ".join(read_signature(function, name, is_method=is_method).split())
    return format_code(signature), _summary(function)


def _summary(documented: Any) -> str:
    return escape_words(read_summary(documented))
