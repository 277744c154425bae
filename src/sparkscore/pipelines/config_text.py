"""The text of a drafted config: YAML with comments that say what was found, and what somebody has to decide."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from sparkscore.monitor.visible import visible_line
from sparkscore.pipelines.config_draft import ConfigDraft, DraftedInput

_WIDTH = 118
_MAX_COLUMNS = 60


def format_config(draft: ConfigDraft, settings: Mapping[str, Any], *, schema_line: str | None = None) -> str:
    """The file: the settings as they are, with comments. It reads as exactly these settings."""
    lines = [
        *([schema_line] if schema_line else []),
        *_comment(f"Scores {draft.table} with {draft.model.name}."),
        "#",
        *_comment("sparkscore config check --config FILE                     judges this file"),
        *_comment("sparkscore score --config FILE --as-of 2026-01-31 --dry-run    shows the plan of a run"),
        "",
        _entry("job", settings["job"]),
        *([_entry("home", settings["home"])] if "home" in settings else []),
        "",
        "source:",
        *_comment(f"version {draft.table_version} when this was written; each run pins the newest", indent=2),
        _entry("table", settings["source"]["table"], indent=2),
        *_key_comments(draft),
        _entry("keys", settings["source"]["keys"], indent=2),
        *_other_columns(draft),
        "",
        "model:",
        *_comment(f"version {draft.model.version} when this was written; an alias is resolved once per run", indent=2),
        _entry("uri", settings["model"]["uri"], indent=2),
        *_optional_entry(settings["model"], "tracking_uri"),
        *_inputs(draft, settings["model"].get("inputs", {})),
        *_casts(draft),
        "",
        "output:",
        _entry("table", settings["output"]["table"], indent=2),
        *_threshold(draft),
        "",
        *_comment("gate: {input: expectations/source.json, output: expectations/predictions.json}"),
        *_comment("`sparkscore gate suggest TABLE --suite FILE` writes a first suite of a table."),
        "",
    ]
    text = "\n".join(lines)
    if yaml.safe_load(text) != dict(settings):
        raise AssertionError("the drafted config does not read as what was drafted")
    return text


def describe_draft(draft: ConfigDraft) -> list[str]:
    """What somebody has to look at, a line each."""
    keys = ", ".join(draft.keys)
    notes = [f"source.keys is a guess: check that {keys} identifies a row"] if draft.is_key_guessed else []
    for one in draft.inputs:
        if one.column is None and one.required:
            notes.append(f"no column is named like the input {one.name} ({one.kind}): map it with model.inputs")
        elif one.cast is not None:
            notes.append(
                f"{one.name} takes {one.kind}, and the column {one.column} is {one.source_kind}: model.casts"
                f" {{{one.name}: {one.cast}}} allows the cast, which {one.effect}"
            )
        elif one.problem:
            notes.append(f"{one.name} takes {one.kind}: {one.problem}")
    return [*notes, *draft.model.warnings]


def _key_comments(draft: ConfigDraft) -> Iterator[str]:
    if draft.is_key_guessed:
        yield from _comment("A guess, from the names. Check that these columns identify a row.", indent=2)


def _other_columns(draft: ConfigDraft) -> Iterator[str]:
    shown = list(draft.others[:_MAX_COLUMNS])
    if shown:
        more = f", and {len(draft.others) - len(shown)} more" if len(draft.others) > len(shown) else ""
        yield from _comment("Columns to copy next to each prediction, so that readers need no join:", indent=2)
        yield from _comment(f"passthrough: {_flow(shown)}{more}", indent=2)


def _inputs(draft: ConfigDraft, mapped: Mapping[str, str]) -> Iterator[str]:
    same = [one for one in draft.inputs if one.column == one.name]
    if same:
        yield from _comment("Inputs that are columns of the same name:", indent=2)
        yield from (line for one in same for line in _comment(_describe_input(one), indent=2))
    absent = [one for one in draft.inputs if one.column is None]
    if mapped:
        yield "  inputs:"
        for name, column in mapped.items():
            one = next(known for known in draft.inputs if known.name == name)
            yield from _comment(_describe_input(one), indent=4)
            yield _entry(name, column, indent=4)
    if absent:
        yield from _comment("Inputs that no column is named like; write the column of each:", indent=2)
        if not mapped:
            yield from _comment("inputs:", indent=2)
        for one in absent:
            left_out = "" if one.required else "; may be left out"
            yield from _comment(f"  {_flow(one.name)}: COLUMN    ({one.kind}{left_out})", indent=2)


def _describe_input(one: DraftedInput) -> str:
    return f"  {one.name}: {one.kind} in the model, {one.source_kind} in the table" + (
        f"; {one.problem}" if one.problem else ""
    )


def _casts(draft: ConfigDraft) -> Iterator[str]:
    needed = [one for one in draft.inputs if one.cast is not None]
    if needed:
        yield from _comment("These columns do not fit without loss. Remove the # to allow the casts:", indent=2)
        yield from _comment("casts:", indent=2)
        for one in needed:
            yield from _comment(
                f"  {_flow(one.name)}: {one.cast}    ({one.source_kind} to {one.kind}: {one.effect})", indent=2
            )


def _threshold(draft: ConfigDraft) -> Iterator[str]:
    if draft.has_score:
        yield from _comment("threshold: 0.5       with it, label is 1 from this score on", indent=2)


def _optional_entry(group: Mapping[str, Any], name: str) -> Iterator[str]:
    if name in group:
        yield _entry(name, group[name], indent=2)


def _entry(name: str, value: object, *, indent: int = 0) -> str:
    return f"{' ' * indent}{_flow(name)}: {_flow(value)}"


def _flow(value: object) -> str:
    """As YAML on one line; text with control characters is escaped."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=False)
    if "\n" in text.removesuffix("...\n").strip():  # of single quotes YAML writes each line as a line
        text = yaml.safe_dump(value, default_flow_style=True, default_style='"', width=10**6, allow_unicode=False)
    return text.removesuffix("...\n").strip()


def _comment(text: str, *, indent: int = 0) -> Iterator[str]:
    """A comment, on as many lines as it needs; what a table or a registry names cannot end it."""
    start, line = f"{' ' * indent}# ", ""
    shown = visible_line(text)
    lead = " " * (len(shown) - len(shown.lstrip()))
    for word in shown.split(" ") if len(start + shown) > _WIDTH else [shown]:
        if line and len(start + line + word) > _WIDTH:
            yield (start + line).rstrip()
            line = lead + "  "
        line += word + " " if len(start + shown) > _WIDTH else word
    yield (start + line).rstrip()
