"""Makes foreign text safe to show: nothing in it can control a terminal. Pure."""

import re

_HIDDEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline: a terminal obeys them
    "\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff"  # order of letters, no width
    "\u2028\u2029"  # a new line for some readers and none for others
    "\ud800-\udfff"  # halves of characters: no encoding has them
    "]"
)
_NEW_LINES = {"\n": "\\n", "\t": "\\t"}


def visible_text(text: str) -> str:
    """The text with control characters, marks of direction and lone surrogates as Python writes them: `\\x1b`.

    Lines and tabs stay.
    """
    return _HIDDEN.sub(_escape_match, text)


def visible_line(text: str) -> str:
    """The text as `visible_text`, on one line."""
    return re.sub("[\n\t]", lambda found: _NEW_LINES[found[0]], visible_text(text))


def _escape_match(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
