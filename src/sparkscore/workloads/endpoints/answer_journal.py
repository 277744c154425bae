"""Answers that were paid and are not committed yet, on the disk of the machine that asked. Runs on executors.

Each process appends what it was answered to a file of its own, before anything else is done with it. Where a task, a
worker or the driver ends before the chunk is committed, whoever asks the same for the same run on this machine takes
the answer from there, once. What is lost of what was paid is what was under way.
"""

import base64
import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_KEEP_S = 3 * 24 * 3600
_MOST_ANSWERS = 100_000
"""That a process remembers of others, the newest: far more than are asked for between two chunks."""


@dataclass(frozen=True, slots=True)
class JournalAnswer:
    """An answer as it came."""

    content: bytes
    latency_ms: float


@dataclass(slots=True)
class AnswerJournal:
    """The journal of one run on this machine."""

    folder: Path
    run: str
    """What tells its answers from those of other runs."""
    _answers: dict[bytes, deque[JournalAnswer]] = field(default_factory=dict)
    _read: dict[str, int] = field(default_factory=dict)
    """Bytes that were read of each file."""
    _descriptor: int | None = None
    _own: str = ""

    def refresh(self, *, with_own: bool = False) -> None:
        """Read what other processes have been answered since the last time.

        `with_own`: what this process has, too: its last batch has failed.
        """
        for file in sorted(self.folder.glob(f"{self.run}-*")):
            if file.name == self._own and not with_own:
                continue
            with suppress(OSError):
                self._read_file(file)

    def take_answer(self, key: bytes) -> JournalAnswer | None:
        """An answer to this request that nobody has taken yet."""
        answers = self._answers.get(key)
        if not answers:
            return None
        answer = answers.popleft()
        if not answers:
            del self._answers[key]
        return answer

    def add_answer(self, key: bytes, content: bytes, latency_ms: float) -> None:
        """Write an answer down, in one call of the system: a process that is killed leaves whole lines."""
        line = b"%s %.3f %s\n" % (key.hex().encode(), latency_ms, base64.b64encode(content))
        os.write(self._open_own(), line)

    def skip_own(self) -> None:
        """What this process was answered so far has become rows: it is not taken again by this process."""
        if self._descriptor is not None:
            self._read[self._own] = os.fstat(self._descriptor).st_size

    def _open_own(self) -> int:
        if self._descriptor is None:
            self._own = f"{self.run}-{os.getpid()}-{time.time_ns():x}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_EXCL | os.O_NOFOLLOW
            self._descriptor = os.open(self.folder / self._own, flags, 0o600)
        return self._descriptor

    def _read_file(self, file: Path) -> None:
        with file.open("rb") as content:
            content.seek(self._read.get(file.name, 0))
            for line in content:
                if not line.endswith(b"\n"):
                    break  # it is being written
                self._read[file.name] = self._read.get(file.name, 0) + len(line)
                with suppress(ValueError):
                    key, latency_ms, answer = line.split()
                    self._remember(
                        bytes.fromhex(key.decode()), JournalAnswer(base64.b64decode(answer), float(latency_ms))
                    )

    def _remember(self, key: bytes, answer: JournalAnswer) -> None:
        self._answers.setdefault(key, deque()).append(answer)
        if len(self._answers) > _MOST_ANSWERS:
            del self._answers[next(iter(self._answers))]


def open_journal(folder: Path, run: str) -> AnswerJournal:
    """The journal of a run; removes those of runs that have ended days ago."""
    for file in folder.iterdir():
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > _KEEP_S:
                file.unlink()
    journal = AnswerJournal(folder, run)
    journal.refresh()
    return journal


def digest_request(path: str, body: Mapping[str, Any]) -> bytes:
    """What tells a request from others: equal ones have equal digests."""
    return hashlib.sha256(json.dumps([path, body], sort_keys=True).encode()).digest()[:16]
