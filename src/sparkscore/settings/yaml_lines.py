"""In which line of a YAML file each setting stands."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sparkscore.settings.yaml_survey import line_of

_MERGE = "tag:yaml.org,2002:merge"
SettingLines = Mapping[tuple[str | int, ...], int]
"""By the path in the settings: `("source", "keys", 0)`."""


def locate_setting_lines(file: str | Path) -> SettingLines:
    """The line of each value that a config file gives; of what an alias repeats, that of the original.

    Needs:   a file that `read_config_file` takes; of another one nothing is located.
    """
    try:
        node = yaml.compose(Path(file).read_bytes(), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, OSError, ValueError, RecursionError):
        return {}
    lines: dict[tuple[str | int, ...], int] = {}
    if node is not None:
        _collect_lines(node, (), lines)
    return lines


def find_line(lines: SettingLines, path: Sequence[str | int]) -> int | None:
    """The line of what stands at a path, else of the nearest above it."""
    return next((lines[tuple(path[:end])] for end in range(len(path), 0, -1) if tuple(path[:end]) in lines), None)


def _collect_lines(node: Node, path: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]) -> None:
    if isinstance(node, SequenceNode):
        for index, inner in enumerate(node.value):
            lines[(*path, index)] = line_of(inner)
            _collect_lines(inner, (*path, index), lines)
    if isinstance(node, MappingNode):
        pairs = sorted(node.value, key=lambda pair: pair[0].tag != _MERGE)  # what is merged first: own keys win
        for key, value in pairs:
            if key.tag == _MERGE:
                for merged in reversed(value.value) if isinstance(value, SequenceNode) else [value]:
                    _collect_lines(merged, path, lines)
            elif isinstance(key, ScalarNode):
                lines[(*path, key.value)] = line_of(key)
                _collect_lines(value, (*path, key.value), lines)
