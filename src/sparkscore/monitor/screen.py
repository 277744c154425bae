"""Output for people: text, never markup. Printing fails no run.

All output for people goes through here: `Screen` for text, tables and bars, `SteadyStream` for lines.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from sparkscore.monitor.visible import visible_text
from sparkscore.redaction.secret_patterns import redact_secrets

DEFAULT_WIDTH = 200
"""Letters of a line where the width is unknown."""


class SteadyStream(io.TextIOBase):
    """Wraps a stream so that writing never raises and shows no secret: what it cannot encode is escaped, what it
    refuses is lost.

    A stream that is closed, whose reader has ended or whose disk is full is no reason to end a run. None: nowhere.
    """

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]  # io has an attribute there
        """That of the other stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def writable(self) -> bool:
        """True: at worst nobody reads it."""
        return True

    def isatty(self) -> bool:
        """Whether the other stream is a terminal."""
        try:
            return self._stream is not None and self._stream.isatty()
        except (OSError, ValueError):
            return False

    def fileno(self) -> int:
        """That of the other stream.

        Raises:  OSError where it has none.
        """
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """All of the text, as far as the other stream takes it."""
        if self._stream is not None:
            try:
                self._stream.write(self._encodable(redact_secrets(text)))
            except (OSError, ValueError):
                self._drop_stream()
        return len(text)

    def flush(self) -> None:
        """Flush the other stream."""
        if self._stream is not None:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._drop_stream()

    def _encodable(self, text: str) -> str:
        try:
            return text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        except (LookupError, UnicodeError):
            return ascii(text)[1:-1]

    def _drop_stream(self) -> None:
        """Nothing more is written there; what it still holds goes nowhere, else Python's own end would fail on it."""
        stream, self._stream = self._stream, None
        discard_stream(stream)


def discard_stream(stream: TextIO | None) -> None:
    """Send what a broken stream still holds nowhere, so that Python's own end does not fail on it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        number = stream.fileno()  # type: ignore[union-attr]
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


class Screen(Console):
    """Rich's console for text: no markup, no emoji, no highlighting, however it is asked, and controls are shown."""

    def __init__(self, file: TextIO | None = None, *, width: int | None = None, terminal: bool | None = None) -> None:
        super().__init__(
            file=file,
            stderr=file is None,
            width=width,
            force_terminal=terminal,
            markup=False,
            emoji=False,
            highlight=False,
            highlighter=None,
        )

    def render_str(self, text: str, **options: Any) -> Text:
        """The text as it is: of the options only position and style count."""
        plain = {name: value for name, value in options.items() if name in ("style", "justify", "overflow")}
        return super().render_str(
            visible_text(redact_secrets(text)), emoji=False, markup=False, highlight=False, **plain
        )

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """The segments, with controls shown in what was made without `render_str`."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible_text(segment.text))

    def on_broken_pipe(self) -> None:
        """Nothing: rich would close stdout, where the result goes, and exit with 1."""


def people_screen() -> Screen:
    """The screen of a verb, on what stderr is by then; wide where its width is unknown."""
    return Screen(width=None if sys.stderr.isatty() else DEFAULT_WIDTH)


@contextlib.contextmanager
def steady_output() -> Iterator[TextIO | None]:
    """A block in which all that is printed goes to stderr, and printing never raises; gives the stdout before it."""
    stdout = sys.stdout
    steady: Any = SteadyStream(sys.stderr)
    with redirect_stderr(steady), redirect_stdout(steady):
        yield stdout


def open_closed_streams() -> None:
    """Open what the caller has closed of stdin, stdout and stderr, on nothing.

    Else the next file that is opened would take its number, and what the JVM or a library prints would go into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                opened = os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
                if opened != number:
                    os.dup2(opened, number)
                    os.close(opened)
