"""A look at each node of a YAML document before a value is made of it: repeated keys, nesting, aliases."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sparkscore.settings.repeated_keys import RepeatedKey

MAX_LEVELS = 64
_MAX_ALIASED_VALUES = 10_000


class RefusedYaml(yaml.YAMLError):
    """YAML that a parser takes, and that does not say one thing: what was found, what was expected, what to do."""

    def __init__(self, found: str, expected: str, do: str) -> None:
        super().__init__(found)
        self.found, self.expected, self.do = found, expected, do


@dataclass(slots=True)
class YamlSurvey:
    """A look at each node once, before a value is made of it: a node that aliases name is one node."""

    key_of: Callable[[Node, str], Hashable]
    """What makes a key of a mapping equal to another one."""
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
                    f"an alias inside of what it names, which begins in line {line_of(node)}",
                    "values that do not contain themselves",
                    "write the value instead of the alias",
                )
            return known
        self._sizes[id(node)] = (0, 0)
        values, levels = 1, 1
        for inner, inner_path in self._child_nodes(node, path):
            more, deeper = self.visit(inner, inner_path)
            values, levels = values + more, max(levels, deeper + 1)
        if levels > MAX_LEVELS:
            raise nesting_error(line_of(node))
        self._refuse_alias_bomb(values, node)
        self._sizes[id(node)] = values, levels
        return values, levels

    def refuse_repeats(self) -> None:
        """Refuse keys that stand more than once.

        Raises:  RefusedYaml naming all of them.
        """
        if self.repeats:
            raise RefusedYaml(
                "; ".join(repeat.description for repeat in self.repeats),
                "each key once in its mapping: YAML would drop all but the last one",
                "keep one of them, with what belongs under it",
            )

    def _child_nodes(self, node: Node, path: str) -> Iterator[tuple[Node, str]]:
        below = f"{path}." if path else ""
        if isinstance(node, SequenceNode):
            yield from ((inner, f"{below}{index}") for index, inner in enumerate(node.value))
        if isinstance(node, MappingNode):
            self._record_repeats(node, path)
            yield from ((value, f"{below}{key.value}") for key, value in node.value)

    def _record_repeats(self, node: MappingNode, path: str) -> None:
        nodes_by_key: dict[Hashable, list[ScalarNode]] = {}
        for key, _ in node.value:
            nodes_by_key.setdefault(self.key_of(key, path), []).append(key)
        for keys in nodes_by_key.values():
            if len(keys) > 1:
                self.repeats.append(
                    RepeatedKey(
                        f"{path}.{keys[0].value}" if path else keys[0].value,
                        tuple(line_of(key) for key in keys),
                        tuple(key.value for key in keys),
                    )
                )

    def _refuse_alias_bomb(self, values: int, node: Node) -> None:
        if values > _MAX_ALIASED_VALUES + _count_values(node):
            raise RefusedYaml(
                f"aliases multiply what begins in line {line_of(node)} to {values:,} values",
                f"{_MAX_ALIASED_VALUES:,} at most",
                "write fewer aliases of aliases",
            )


def _count_values(node: Node) -> int:
    """Characters of the node's own text: it holds no more values than these, but for its aliases."""
    return int(node.end_mark.index - node.start_mark.index)


def nesting_error(line: int) -> RefusedYaml:
    """What a document that is nested too deeply is refused with."""
    return RefusedYaml(
        f"line {line} is nested more than {MAX_LEVELS} levels deep",
        "fewer levels",
        "use fewer nested mappings and lists",
    )


def line_of(node: Node) -> int:
    """Where a node begins, from line 1 on."""
    return int(node.start_mark.line) + 1
