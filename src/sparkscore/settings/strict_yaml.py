"""Reads YAML that people write, without silent loss: each key once per mapping, no nesting that exhausts a process.

YAML 1.1 makes more of plain text than its authors mean: `no` is false, `01234` is 668, `12:30` is 750. How such a value
was written is kept beside it, for whoever knows of which type it should be.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.nodes import Node, ScalarNode

from sparkscore.settings.yaml_faults import explain_yaml_fault
from sparkscore.settings.yaml_survey import MAX_LEVELS, RefusedYaml, YamlSurvey, line_of, nesting_error

_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class PlainScalar:
    """A value that YAML made of something that is no text to it, and how it was written."""

    value: Any
    text: str
    location: str
    """The file, variable or flag, and the line."""


def load_yaml(text: str) -> Any:
    """What `yaml.safe_load` makes of a text in which each key stands once in its mapping.

    A key beside a merge (`<<: *base`) that overrides a merged one stands once.

    Raises:  RefusedYaml for a repeated key, more than 64 levels, an alias inside of what it names, aliases that
             multiply to more than 10,000 values, and a scalar that is none of its type (a 30th of February);
             yaml.YAMLError.
    """
    try:
        return _load_fast(text)
    except (yaml.YAMLError, RecursionError):  # the slower parser says where and why, or takes it after all
        return _load_document(_Loader(text), "")


def load_scalars(text: str, location: str, *, name: str = "") -> Any:
    """The same, with a PlainScalar for each value that is no text, list or mapping; all keys are text.

    `location`: the file, variable or flag; `name`: the dotted name of the setting that the text gives, if only one.

    Raises:  RefusedYaml as `load_yaml` does, for a key that YAML does not read as text, and for what is not YAML.
    """
    try:
        loader = _ScalarLoader(text)
        loader.location = location
        return _load_document(loader, name)
    except yaml.YAMLError as error:
        raise explain_yaml_fault(error) from None  # PyYAML quotes the line, which may hold a secret


def bare_value(value: Any) -> Any:
    """The value with that of each PlainScalar in its stead."""
    if isinstance(value, PlainScalar):
        return value.value
    if isinstance(value, dict):
        return {name: bare_value(inner) for name, inner in value.items()}
    return type(value)(map(bare_value, value)) if isinstance(value, list | tuple) else value


class _StrictConstructor(SafeConstructor):
    """Makes values of nodes, whichever parser has made these."""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            kind = node.tag.rpartition(":")[2]
            raise RefusedYaml(
                f"line {line_of(node)} holds what looks like a YAML {kind} and is none{_describe_reason(error)}",
                f"a value of the type {kind}, or text in quotes",
                "correct it, or write it in quotes",
            ) from error

    def key_of(self, node: Node, path: str) -> Hashable:
        """What makes a key of a mapping equal to another one."""
        if not isinstance(node, ScalarNode):
            raise RefusedYaml(
                f"line {line_of(node)} has a list or a mapping as a key{f' of {path}' if path else ''}",
                "keys that are text",
                "write it in quotes; {{ … }} is a template that the scheduler did not fill in",
            )
        if node.tag == _MERGE:
            return (_MERGE,)
        key: Hashable = self.construct_object(node)
        return key if key == key else ("nan",)  # noqa: PLR0124  NaN is not equal to itself


class _Loader(_StrictConstructor, yaml.SafeLoader):
    level = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        if self.level == MAX_LEVELS:
            raise nesting_error(self.line + 1)
        self.level += 1
        node: Node | None = super().compose_node(parent, index)
        self.level -= 1
        return node


_CParserLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, several times as fast, where PyYAML has it."""


class _FastLoader(_StrictConstructor, _CParserLoader):  # type: ignore[misc]
    """The same, but for its nesting: libyaml recurses as deep as the text, so somebody has to look before."""


class _ScalarLoader(_Loader):
    location = ""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        value = super().construct_object(node, deep=deep)
        if isinstance(value, str) or not isinstance(node, ScalarNode):
            return value
        return PlainScalar(value, node.value, f"{self.location}, line {line_of(node)}")

    def key_of(self, node: Node, path: str) -> Hashable:
        key = super().key_of(node, path)
        if not isinstance(key, PlainScalar):
            return key
        name = f"{path}.{key.text}" if path else key.text
        raise RefusedYaml(
            f"line {line_of(node)}: YAML reads the key {name} as {describe_value(key.value)}",
            "keys that are text",
            f'write "{key.text}", in quotes',
        )


def describe_value(value: object) -> str:
    """A value that YAML has read, for people: `true`, `null`, `the number 668`, `the date 2013-10-01`."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    names = ((int | float, "number"), (datetime, "time"), (date, "date"))
    return f"the {next((name for kind, name in names if isinstance(value, kind)), type(value).__name__)} {value}"


def _construct_equals_sign(loader: Any, node: Any) -> str:
    """YAML 1.1 has a type of its own for a plain `=`, which PyYAML cannot read: here it is an operator."""
    return str(loader.construct_scalar(node))


_StrictConstructor.add_constructor("tag:yaml.org,2002:value", _construct_equals_sign)


def _load_fast(text: str) -> Any:
    level = 0
    for event in yaml.parse(text, Loader=_CParserLoader):
        level += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if level >= MAX_LEVELS:
            raise RecursionError
    loader: Any = _FastLoader  # PyYAML's types do not say what libyaml's takes
    return _load_document(loader(text), "")


def _load_document(loader: Any, name: str) -> Any:
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        survey = YamlSurvey(loader.key_of)
        survey.visit(node, name)
        survey.refuse_repeats()
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _describe_reason(error: Exception) -> str:
    """Of Python's own converters, which speak of the value; other errors speak of PyYAML."""
    return f": {str(error).partition(chr(10))[0][:100]}" if isinstance(error, ValueError) else ""
