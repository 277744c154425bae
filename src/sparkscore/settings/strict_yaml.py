"""Reads YAML that people write, without silent loss: each key once per mapping, no nesting that exhausts a process.

YAML 1.1 makes more of plain text than its authors mean: `no` is false, `01234` is 668, `12:30` is 750. How such a value
was written is kept beside it, for whoever knows of which type it should be.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sparkscore.settings.repeated_keys import RepeatedKey

_LEVELS = 64
_ALIASED = 10_000
_MERGE = "tag:yaml.org,2002:merge"


class RefusedYaml(yaml.YAMLError):
    """YAML that a parser takes, and that does not say one thing: what was found, what was expected, what to do."""

    def __init__(self, found: str, expected: str, do: str) -> None:
        super().__init__(found)
        self.found, self.expected, self.do = found, expected, do


@dataclass(frozen=True, slots=True)
class PlainScalar:
    """A value that YAML made of something that is no text to it, and how it was written."""

    value: Any
    text: str
    place: str
    """The file, variable or flag, and the line."""


def load_yaml(text: str) -> Any:
    """What `yaml.safe_load` makes of a text in which each key stands once in its mapping.

    A key beside a merge (`<<: *base`) that overrides a merged one stands once.

    Raises:  RefusedYaml for a repeated key, more than 64 levels, an alias inside of what it names, aliases that
             multiply to more than 10,000 values, and a scalar that is none of its type (a 30th of February);
             yaml.YAMLError.
    """
    return _load_document(_Loader(text), "")


def load_scalars(text: str, place: str, *, name: str = "") -> Any:
    """The same, with a PlainScalar for each value that is no text, list or mapping; all keys are text.

    `place`: the file, variable or flag; `name`: the dotted name of the setting that the text gives, if only one.

    Raises:  as `load_yaml`; RefusedYaml for a key that YAML does not read as text.
    """
    loader = _ScalarLoader(text)
    loader.place = place
    return _load_document(loader, name)


def bare_value(value: Any) -> Any:
    """The value with what stands in each PlainScalar at its place."""
    if isinstance(value, PlainScalar):
        return value.value
    if isinstance(value, dict):
        return {name: bare_value(inner) for name, inner in value.items()}
    return type(value)(map(bare_value, value)) if isinstance(value, list | tuple) else value


class _Loader(yaml.SafeLoader):
    level = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        if self.level == _LEVELS:
            raise _refused_levels(self.line + 1)
        self.level += 1
        node: Node | None = super().compose_node(parent, index)
        self.level -= 1
        return node

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            kind = node.tag.rpartition(":")[2]
            raise RefusedYaml(
                f"line {_line_of(node)} holds what looks like a YAML {kind} and is none{_describe_reason(error)}",
                f"a value of the type {kind}, or text in quotes",
                "correct it, or write it in quotes",
            ) from error

    def key_of(self, node: Node, path: str) -> Hashable:
        """What makes a key of a mapping equal to another one."""
        if not isinstance(node, ScalarNode):
            raise RefusedYaml(
                f"line {_line_of(node)} has a list or a mapping as a key{f' of {path}' if path else ''}",
                "keys that are text",
                "write it in quotes; {{ … }} is a template that the scheduler did not fill in",
            )
        if node.tag == _MERGE:
            return (_MERGE,)
        key: Hashable = self.construct_object(node)
        return key if key == key else ("nan",)  # noqa: PLR0124  NaN is not equal to itself


class _ScalarLoader(_Loader):
    place = ""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        value = super().construct_object(node, deep=deep)
        if isinstance(value, str) or not isinstance(node, ScalarNode):
            return value
        return PlainScalar(value, node.value, f"{self.place}, line {_line_of(node)}")

    def key_of(self, node: Node, path: str) -> Hashable:
        key = super().key_of(node, path)
        if not isinstance(key, PlainScalar):
            return key
        name = f"{path}.{key.text}" if path else key.text
        raise RefusedYaml(
            f"line {_line_of(node)}: YAML reads the key {name} as {describe_value(key.value)}",
            "keys that are text",
            f'write "{key.text}", in quotes',
        )


def describe_value(value: object) -> str:
    """A value that YAML has read, for people: `true`, `null`, `the number 668`, `the date 2013-10-01`."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    words = ((int | float, "number"), (datetime, "time"), (date, "date"))
    return f"the {next((word for kind, word in words if isinstance(value, kind)), type(value).__name__)} {value}"


def _construct_equals_sign(loader: Any, node: Any) -> str:
    """YAML 1.1 has a type of its own for a plain `=`, which PyYAML cannot read: here it is an operator."""
    return str(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:value", _construct_equals_sign)


def _load_document(loader: _Loader, name: str) -> Any:
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        survey = _Survey(loader)
        survey.visit(node, name)
        survey.refuse_repeats()
        return loader.construct_document(node)
    finally:
        loader.dispose()


@dataclass(slots=True)
class _Survey:
    """A look at each node once, before a value is made of it: a node that aliases name is one node."""

    loader: _Loader
    repeats: list[RepeatedKey] = field(default_factory=list)
    _sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Values and levels of each node, its aliases followed; 0 while it is looked at."""

    def visit(self, node: Node, path: str) -> tuple[int, int]:
        """Values and levels of a node. Recurses as deep as the text is nested: what an alias names is before it."""
        if isinstance(node, ScalarNode):
            return 1, 1
        if id(node) in self._sizes:
            known = self._sizes[id(node)]
            if known[0] == 0:
                raise RefusedYaml(
                    f"an alias inside of what it names, which begins in line {_line_of(node)}",
                    "values that do not contain themselves",
                    "write the value instead of the alias",
                )
            return known
        self._sizes[id(node)] = (0, 0)
        values, levels = 1, 1
        for inner, inner_path in self._inner(node, path):
            more, deeper = self.visit(inner, inner_path)
            values, levels = values + more, max(levels, deeper + 1)
        if levels > _LEVELS:
            raise _refused_levels(_line_of(node))
        self._refuse_bomb(values, node)
        self._sizes[id(node)] = values, levels
        return values, levels

    def refuse_repeats(self) -> None:
        if self.repeats:
            raise RefusedYaml(
                "; ".join(one.words for one in self.repeats),
                "each key once in its mapping: YAML would drop all but the last one",
                "keep one of them, with what belongs under it",
            )

    def _inner(self, node: Node, path: str) -> Iterator[tuple[Node, str]]:
        below = f"{path}." if path else ""
        if isinstance(node, SequenceNode):
            yield from ((inner, f"{below}{index}") for index, inner in enumerate(node.value))
        if isinstance(node, MappingNode):
            self._note_repeats(node, path)
            yield from ((value, f"{below}{key.value}") for key, value in node.value)

    def _note_repeats(self, node: MappingNode, path: str) -> None:
        places: dict[Hashable, list[ScalarNode]] = {}
        for key, _ in node.value:
            places.setdefault(self.loader.key_of(key, path), []).append(key)
        for keys in places.values():
            if len(keys) > 1:
                self.repeats.append(
                    RepeatedKey(
                        f"{path}.{keys[0].value}" if path else keys[0].value,
                        tuple(_line_of(key) for key in keys),
                        tuple(key.value for key in keys),
                    )
                )

    def _refuse_bomb(self, values: int, node: Node) -> None:
        if values > _ALIASED + _count_values(node):
            raise RefusedYaml(
                f"aliases multiply what begins in line {_line_of(node)} to {values:,} values",
                f"{_ALIASED:,} at most",
                "write fewer aliases of aliases",
            )


def _count_values(node: Node) -> int:
    """Characters of the node's own text: it holds no more values than these, but for its aliases."""
    return int(node.end_mark.index - node.start_mark.index)


def _refused_levels(line: int) -> RefusedYaml:
    return RefusedYaml(
        f"line {line} is nested more than {_LEVELS} levels deep", "fewer levels", "use fewer nested mappings and lists"
    )


def _line_of(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _describe_reason(error: Exception) -> str:
    """Of Python's own converters, which speak of the value; other errors speak of PyYAML."""
    return f": {str(error).partition(chr(10))[0][:100]}" if isinstance(error, ValueError) else ""
