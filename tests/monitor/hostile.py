"""Values that markup, terminals and formats would take for something else."""

VALUES = (
    "[/y]",
    "[bold]x",
    "^[a-z]+$",
    "^[a-z]+[/b]$",
    ":smile:",
    "\x1b[2Jx",
    "{x}",
    "%s",
    "a\rb\bc\x07",
    "\x9b31m",
    "\u202etxt",
    "half \ud800",
    "[link=http://x]y[/link]",
    "\u2028line",
)
"""None of them may end a run, and each is shown so that one sees what it holds."""

RAW = frozenset("\x1b\r\b\x07\x9b\u202e\u2028\ud800")
"""What may never reach a terminal."""
