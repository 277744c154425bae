"""Settings of one model per group: the columns that make a group, and how a group names its model."""

import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from sparkscore.settings.frozen_settings import FrozenSettings

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_REGISTERED_TEMPLATE = re.compile(r"models:/[^/@:]+(@|/)[^/@:]+")


class GroupTableSettings(FrozenSettings):
    """A table that says which model each group has."""

    table: str = Field(
        description="a Delta table with the columns of model.by, one row per group, and those that model.uri names:"
        " catalog name, path, or plain name (a table under the home folder)"
    )


def find_placeholders(template: str) -> tuple[str, ...]:
    """The columns that a template of a model's URI names, each once."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(template)))


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """The template with the values in their places. What a value holds is never a placeholder again.

    Needs:   a value for each placeholder.
    """
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


def find_group_problem(template: str, by: Sequence[str], groups: GroupTableSettings | None) -> str | None:
    """What is wrong with the settings of groups; None where nothing is."""
    if by:
        return next(_find_template_problems(template, by, groups), None)
    return None if groups is None else "model.groups maps groups to models, and model.by names no columns of groups"


def _find_template_problems(template: str, by: Sequence[str], groups: GroupTableSettings | None) -> Iterator[str]:
    named, rest = find_placeholders(template), _PLACEHOLDER.sub("", template)
    if len(set(by)) < len(by):
        yield "model.by names a column twice"
    if "{" in rest or "}" in rest:
        yield f"model.uri {template} has braces that are no placeholder; expected {{column}}"
    if not named:
        yield (
            f"model.uri {template} names one model for all groups; expected a template:"
            f" models:/forecast-{{{by[0]}}}@champion"
        )
    elif template.startswith("vertex://"):
        yield (
            f"model.uri {template} names models of Vertex AI, and model.by takes those of MLflow's registry alone;"
            f" expected models:/<name>@<alias> with columns of the group in braces, or a job for each model, with its"
            " rows in source.where"
        )
    elif not _REGISTERED_TEMPLATE.fullmatch(_PLACEHOLDER.sub("1", template)) and (groups is None or rest):
        yield (
            f"model.uri {template} names no registered models; expected models:/<name>@<alias> or"
            " models:/<name>/<version> with columns of the group in braces"
        )
    if groups is not None:
        return
    if unknown := [name for name in named if name not in by]:
        yield (
            f"model.uri names {', '.join(unknown)}; expected columns of model.by: {', '.join(by)}; those of a table"
            " need model.groups"
        )
    if unused := [name for name in by if name not in named]:
        yield f"model.by names {', '.join(unused)}, and model.uri does not: it would change no model"
