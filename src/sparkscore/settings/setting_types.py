"""What a setting takes, in words for people: from its type and its bounds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

_WORDS = {str: "text", SecretStr: "text", bool: "true or false", int: "a whole number", float: "a number"}
_BOUNDS = {"ge": "of at least", "gt": "above", "le": "of at most", "lt": "below"}
_EXAMPLES = {str: "[a, b]", int: "[1, 2]", float: "[0.1, 0.2]"}


@dataclass(frozen=True, slots=True)
class SettingWords:
    """Of an annotation: what its values look like, in words."""

    expected: str


@dataclass(frozen=True, slots=True)
class LocatedSetting:
    """What stands at a path in the settings: a setting, a group of settings, or a value inside of a setting."""

    path: tuple[str | int, ...]
    """As far as the settings know it: without what pydantic adds for the alternatives of a type."""
    annotation: Any
    constraints: Sequence[Any] = ()
    field: FieldInfo | None = None

    @property
    def expected(self) -> str:
        """What it takes."""
        extra = None if self.field is None else self.field.json_schema_extra
        own = extra.get("expected") if isinstance(extra, dict) else None
        return str(own) if own else describe_type(self.annotation, self.constraints)

    @property
    def inner_names(self) -> list[str]:
        """The settings of a group, also of one that may be null."""
        kinds = (self.annotation, *get_args(self.annotation))
        groups = (one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel))
        return next((list(group.model_fields) for group in groups), [])


def locate_setting(settings: type[BaseModel], path: Sequence[str | int]) -> LocatedSetting:
    """What stands at a path of pydantic's, or above it where the path goes on inside of a type."""
    located = LocatedSetting((), settings)
    for part in path:
        inner = _step_into(located, part)
        if inner is None:
            return located
        located = inner
    return located


def describe_type(annotation: Any, constraints: Sequence[Any] = ()) -> str:
    """What values of a type look like: `a number of at least 0, or null`."""
    origin, inner = get_origin(annotation), get_args(annotation)
    words = next((one.expected for one in inner[1:] if isinstance(one, SettingWords)), None)
    if words is not None:
        return words
    if origin is Annotated:
        return describe_type(inner[0], [*constraints, *_flatten_constraints(inner[1:])])
    if origin in (Union, UnionType):
        parts = [describe_type(part, constraints) for part in inner if part is not NoneType]
        return ", or ".join([*parts, "null"] if NoneType in inner else parts)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"settings of its own under it: {', '.join(annotation.model_fields)}"
    return _describe_plain_type(origin or annotation, inner, constraints)


def _describe_plain_type(kind: Any, inner: Sequence[Any], constraints: Sequence[Any]) -> str:
    if kind is Literal:
        return join_with_or([str(word) for word in inner])
    if kind is tuple:
        return _describe_list(inner[0], constraints)
    if kind is dict:
        return "a mapping of names to values, such as {a: b}"
    return f"{_WORDS.get(kind, 'a value')}{_describe_bounds(constraints)}"


def join_with_or(words: Sequence[str]) -> str:
    """The words as a choice: `a, b or c`."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def setting_takes(annotation: Any, kind: type) -> bool:
    """Whether a value of this kind, such as `tuple` or `NoneType`, is among what a type takes."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType, Annotated):
        return any(setting_takes(part, kind) for part in get_args(annotation))
    return (origin or annotation) is kind


def _step_into(located: LocatedSetting, part: str | int) -> LocatedSetting | None:
    annotation, path = located.annotation, (*located.path, part)
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        steps = (_step_into(LocatedSetting(located.path, choice), part) for choice in inner)
        return next((step for step in steps if step is not None), None)
    if origin is tuple and isinstance(part, int):
        return LocatedSetting(path, inner[0])
    if origin is dict:
        return LocatedSetting(path, inner[1])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and part in annotation.model_fields:
        field = annotation.model_fields[str(part)]
        return LocatedSetting(path, field.annotation, field.metadata, field)
    return None


def _flatten_constraints(metadata: Iterable[Any]) -> list[Any]:
    return [one for part in metadata for one in (part.metadata if isinstance(part, FieldInfo) else [part])]


def _describe_list(inner: Any, constraints: Sequence[Any]) -> str:
    least = " with at least one entry" if any(getattr(one, "min_length", 0) for one in constraints) else ""
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        return f"a list{least}, of mappings with {', '.join(inner.model_fields)}"
    return f"a list{least}, such as {_EXAMPLES.get(inner, '[a, b]')}"


def _describe_bounds(constraints: Sequence[Any]) -> str:
    bounds = {
        name: getattr(one, name) for one in constraints for name in ("ge", "gt", "le", "lt") if hasattr(one, name)
    }
    if set(bounds) == {"ge", "le"}:
        return f" from {bounds['ge']} to {bounds['le']}"
    if set(bounds) == {"gt", "le"}:
        return f" above {bounds['gt']} and up to {bounds['le']}"
    words = [f"{_BOUNDS[name]} {bound}" for name, bound in bounds.items()]
    return f" {' and '.join(words)}" if words else ""
