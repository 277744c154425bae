"""Describes the history of a key for a terminal."""

import json
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from sparkscore.records import ChallengerScore, KeyEntry, KeyExplanation, ReportedModel

_MOST_SHOWN = 60
"""Characters of a value."""


def describe_explanation(found: KeyExplanation) -> str:
    """One line: which key, and whether readers see a score of it; one more for each warning."""
    key = ", ".join(f"{name} = {value}" for name, value in found.key.items())
    current = [entry for entry in found.entries if entry.is_current]
    scored = sum(entry.status == "scored" for entry in current)
    head = {
        "scored": f"scored for {scored:,} of {len(current):,} as_ofs",
        "not_scored": "no prediction that readers see",
        "no_runs": "the job has no runs yet",
    }[found.status]
    return "\n".join([f"{key}: {head}", *(f"warning: {text}" for text in found.warnings)])


def entries_table(found: KeyExplanation) -> Table:
    """Runs and challengers, one line each, oldest first."""
    table = Table(box=None, pad_edge=False)
    for name in (
        "as_of",
        "rev",
        "status",
        "prediction",
        "model",
        "source",
        "published",
        "run",
        "why, or further values",
    ):
        table.add_column(name, justify="right" if name in ("rev", "source") else "left")
    lines = [(entry.as_of, 0, _entry_cells(entry)) for entry in found.entries]
    lines += [(score.as_of, 1, _challenger_cells(score)) for score in found.challengers]
    for _, _, cells in sorted(lines, key=lambda line: line[:2]):
        table.add_row(*cells)
    return table


def _entry_cells(entry: KeyEntry) -> tuple[str, ...]:
    status = entry.status if entry.is_current else f"{entry.status} (superseded)"
    status = "not_published" if entry.status == "not_published" else status
    verb = "" if entry.verb in (None, "score") else f"by {entry.verb}"
    why = "; ".join(text for text in (verb, entry.code, entry.reason, _further_text(entry.values)) if text)
    return (
        entry.as_of,
        "" if entry.revision is None else str(entry.revision),
        status,
        _shown_value_text(entry.values.get("prediction")),
        _format_reported_model(entry.model),
        "" if entry.source_version is None else str(entry.source_version),
        (entry.published_at or "")[:19],
        (entry.run_id or "")[:12],
        why,
    )


def _challenger_cells(score: ChallengerScore) -> tuple[str, ...]:
    return (
        score.as_of,
        "",
        "challenger",
        _shown_value_text(score.values.get("prediction")),
        _format_reported_model(score.model),
        "" if score.source_version is None else str(score.source_version),
        (score.published_at or "")[:19],
        (score.run_id or "")[:12],
        _further_text(score.values),
    )


def _format_reported_model(model: ReportedModel | None) -> str:
    return "" if model is None else f"{model.name} {model.version}"


def _further_text(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_shown_value_text(value)}" for name, value in values.items() if name != "prediction")


def _shown_value_text(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"
