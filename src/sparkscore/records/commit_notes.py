"""What a commit of the suite says of itself in its `userMetadata`, and the one codec of it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import uuid4

from sparkscore.records.canonical_text import to_utc_text
from sparkscore.records.run_records import NO_POSTPROCESSING, Pins, Postprocessing, Run
from sparkscore.redaction.secret_patterns import mask_secrets

NOTE_KEY = "sparkscore"
"""Under which a commit's userMetadata holds the note."""


def format_commit_note(note: Mapping[str, Any]) -> str:
    """The note as a commit's `userMetadata`, without known secrets."""
    return mask_secrets(json.dumps({NOTE_KEY: note}, sort_keys=True, separators=(",", ":"), default=str))


def parse_commit_note(text: str | None) -> Mapping[str, Any]:
    """The note in a commit's `userMetadata`; empty where the commit is not the suite's."""
    try:
        found = json.loads(text or "{}").get(NOTE_KEY, {})
    except (ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class RunCommitNote:
    """What the commit that publishes a run says of it: enough to write its event again."""

    job: str
    as_of: datetime
    revision: int
    attempt: int
    run_id: str
    rows: int
    """Rows that the commit made visible."""
    rejected: int
    pins: Pins
    source_table: str
    model_id: str
    postprocessing: Postprocessing = NO_POSTPROCESSING
    writer: str = ""
    """Tells the commit of one process from that of another attempt with the same number; older versions wrote none."""
    marked: int = 0
    """Rows of it that are no predictions: they say that the source no longer has a key."""
    removed: Mapping[str, int] = field(default_factory=dict)
    """Rows that the commit has removed from earlier as_ofs, because the source no longer has their key; by run_id."""

    @classmethod
    def of(cls, run: Run, *, rows: int, rejected: int) -> "RunCommitNote":
        """The note of a run that publishes so many rows, by a writer of its own."""
        return cls(
            run.identity_job,
            run.as_of,
            run.revision,
            run.attempt,
            run.run_id,
            rows,
            rejected,
            run.pins,
            run.source_table,
            run.model_id,
            run.postprocessing,
            uuid4().hex,
        )

    def to_json(self) -> str:
        """The note as a commit's `userMetadata`."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        values |= {"as_of": to_utc_text(self.as_of), "pins": asdict(self.pins)}
        values["postprocessing"] = self.postprocessing.to_dict()
        values |= {"marked": self.marked or {}, "removed": dict(self.removed)}
        return format_commit_note({name: value for name, value in values.items() if value != {}})

    @classmethod
    def from_json(cls, text: str | None) -> "RunCommitNote | None":
        """The inverse of `to_json`; None for a commit that publishes no run.

        Names that only a newer version writes are left out; those that older ones did not write have their defaults.
        """
        note = parse_commit_note(text)
        if "run_id" not in note or "pins" not in note:
            return None
        known = {one.name: note[one.name] for one in fields(cls) if one.name in note}
        read = {
            "as_of": datetime.fromisoformat(note["as_of"]),
            "pins": Pins(**note["pins"]),
            "postprocessing": Postprocessing.from_dict(note.get("postprocessing", {})),
        }
        return cls(**{"source_table": "", "model_id": "", **known, **read})


@dataclass(frozen=True, slots=True)
class RunCommit:
    """The commit that published a run."""

    version: int
    note: RunCommitNote
