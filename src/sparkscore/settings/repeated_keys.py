"""Keys that stand more than once in one mapping: parsers keep the last one and drop the others silently."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_JSON_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class RepeatedKey:
    """A key that a mapping holds more than once."""

    path: str
    """Dotted, from the top: `source.where.0.value`."""
    lines: tuple[int, ...]
    """Where it stands, from 1 on."""
    spellings: tuple[str, ...]
    """As it stands in each of these lines: `1` and `0x1` are one key."""

    @property
    def description(self) -> str:
        """For people: `gate stands twice: in lines 3 and 9`."""
        times = "twice" if len(self.lines) == 2 else f"{len(self.lines)} times"
        lines = list(dict.fromkeys(self.lines))
        where = f" in line {lines[0]}" if len(lines) == 1 else f": in lines {_join_with_and(lines)}"
        spelled = list(dict.fromkeys(self.spellings))
        return f"{self.path} stands {times}{where}" + (f", as {_join_with_and(spelled)}" if len(spelled) > 1 else "")


class RepeatedKeys(ValueError):
    """JSON in which an object holds a key more than once; the message names all of them with their lines."""


def load_json(text: str, **options: Any) -> Any:
    """What `json.loads` makes of a text in which each key stands once in its object.

    Needs:   `options` arguments of `json.loads`.
    Raises:  RepeatedKeys; ValueError as `json.loads` does, for nesting that exhausts it, too.
    """
    try:
        return json.loads(text, object_pairs_hook=_refuse_repeats, **options)
    except _RepeatFound:
        found = find_repeated_keys(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    raise RepeatedKeys("; ".join(repeat.description for repeat in found))


def find_repeated_keys(text: str) -> list[RepeatedKey]:
    """The keys that stand more than once in one object of a JSON text, in the order of the objects' ends.

    Needs:   JSON; of what is none, the part before the mistake.
    """
    found: list[RepeatedKey] = []
    containers: list[_OpenContainer] = []
    line, counted = 1, 0
    for token in _JSON_TOKEN.finditer(text):
        line, counted = line + text.count("\n", counted, token.start()), token.start()
        sign = token[0]
        if sign in "{[":
            containers.append(_OpenContainer(sign == "{"))
        elif not containers:
            continue
        elif sign in "}]":
            found += containers.pop().repeats
        elif sign == ",":
            containers[-1].advance()
        elif containers[-1].expects_key:
            containers[-1].add_key(json.loads(sign, strict=False), line, containers[:-1])
    while containers:
        found += containers.pop().repeats
    return found


class _RepeatFound(Exception):
    pass


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise _RepeatFound
    return content


@dataclass(slots=True)
class _OpenContainer:
    """An object or an array of JSON whose end is not reached yet."""

    is_object: bool
    position: str | int = 0
    """The key or the index that is read."""
    expects_key: bool = field(init=False)
    _lines: dict[str, list[int]] = field(default_factory=dict)
    _paths: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.expects_key = self.is_object

    def advance(self) -> None:
        self.expects_key = self.is_object
        if isinstance(self.position, int):
            self.position += 1

    def add_key(self, key: str, line: int, above: "Sequence[_OpenContainer]") -> None:
        self.position, self.expects_key = key, False
        lines = self._lines.setdefault(key, [])
        lines.append(line)
        if len(lines) > 1:
            self._paths[key] = ".".join(str(container.position) for container in (*above, self))

    @property
    def repeats(self) -> list[RepeatedKey]:
        return [RepeatedKey(path, tuple(self._lines[key]), (key,)) for key, path in self._paths.items()]


def _join_with_and(parts: Sequence[object]) -> str:
    return " and ".join([", ".join(map(str, parts[:-1])), str(parts[-1])])
