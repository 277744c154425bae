"""Patterns of a suite for RE2, which pyarrow matches with: only where RE2 is sure to find what Java finds.

Whether a text matches at all does not depend on the order in which an engine tries its choices. So Java's regular
expressions over ASCII have the same answer in RE2 where each piece means the same set of characters: pieces are
translated one by one, and whatever is not listed here has no form. Runs on the driver.
"""

import re
from dataclasses import dataclass

from sparkscore.gate.compiled.arrow_literals import NoArrowForm

_LINE_END = r"\n\r\x{85}\x{2028}\x{2029}"
"""Java's line terminators: `.` matches none of them, and `$` matches before the last one of a text."""
_END = rf"(?:\r\n|[{_LINE_END}])?\z"
_CLASSES = {"d": "0-9", "w": "0-9A-Z_a-z", "s": r"\t-\r\x{20}"}
"""Java's are of ASCII; RE2's `\\s` lacks the vertical tab."""
_ESCAPED_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_RETURN_MEMBERS = (_CLASSES["s"], "\\x{d}")
_SPECIAL = set("\\^$.|?*+()[]{}")
_SPECIAL_IN_CLASS = set("\\^[]&-")
_COUNT = re.compile(r"\{([0-9]{1,3})(?:(,)([0-9]{1,3})?)?\}")
_MAX_DEPTH = 20
_GREATEST_OF_JAVA = "\uffff"
"""Of one `char`."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of a pattern."""

    text: str
    is_repeatable: bool = True
    """It matches one character or more, wherever it stands."""
    is_end: bool = False
    """It ends with `$`, which is sure to mean the same where nothing follows."""
    takes_return: bool = False
    """It may match a carriage return: `$` does not match between that and a newline."""


def translate_java_regex(regex: str) -> str:
    """The pattern of RE2 that finds a match in the texts in which Java's does.

    Raises:  NoArrowForm.
    """
    parser = _JavaRegexParser(regex)
    piece = parser.parse_choices(0)
    if not parser.is_done or (piece.is_end and piece.takes_return):
        raise NoArrowForm
    return piece.text


def translate_like_pattern(pattern: str, escape: str) -> str:
    """The pattern of RE2 that matches what LIKE matches, from the beginning to the end.

    Needs:   an escape character that stands before %, _ or itself alone.
    Raises:  NoArrowForm.
    """
    pieces, index = [], 0
    while index < len(pattern):
        character = pattern[index]
        if character == escape:
            index += 1
            pieces.append(_literal(pattern[index]))
        elif character > _GREATEST_OF_JAVA:
            raise NoArrowForm  # Spark takes it apart
        else:
            pieces.append({"%": ".*", "_": "."}.get(character) or _literal(character))
        index += 1
    return rf"(?s)\A{''.join(pieces)}\z"


class _JavaRegexParser:
    """Reads a regular expression of Java from its beginning. All methods raise NoArrowForm."""

    def __init__(self, regex: str) -> None:
        self._regex = regex
        self._index = 0

    @property
    def is_done(self) -> bool:
        return self._index == len(self._regex)

    def parse_choices(self, depth: int) -> _Piece:
        """One or more sequences with | between them."""
        if depth > _MAX_DEPTH:
            raise NoArrowForm
        choices = [self._parse_sequence(depth)]
        while self._take("|"):
            choices.append(self._parse_sequence(depth))
        return _Piece(
            "|".join(choice.text for choice in choices),
            is_repeatable=all(choice.is_repeatable for choice in choices),
            is_end=any(choice.is_end for choice in choices),
            takes_return=any(choice.takes_return for choice in choices),
        )

    def _parse_sequence(self, depth: int) -> _Piece:
        pieces: list[_Piece] = []
        while not self.is_done and self._peek() not in "|)":
            pieces.append(self._parse_repetition(self._parse_atom(depth)))
        if not pieces or any(piece.is_end for piece in pieces[:-1]):
            raise NoArrowForm
        return _Piece(
            "".join(piece.text for piece in pieces),
            is_repeatable=any(piece.is_repeatable for piece in pieces),
            is_end=pieces[-1].is_end,
            takes_return=any(piece.takes_return for piece in pieces),
        )

    def _parse_atom(self, depth: int) -> _Piece:
        character = self._next()
        if character == "(":
            return self._parse_group(depth)
        if character == "[":
            return self._parse_class()
        if character == "\\":
            return self._parse_escape()
        fixed = {
            ".": _Piece(f"[^{_LINE_END}]"),
            "^": _Piece(r"\A", is_repeatable=False),
            "$": _Piece(_END, is_repeatable=False, is_end=True),
        }
        if character in fixed:
            return fixed[character]
        if character in _SPECIAL:
            raise NoArrowForm
        return _Piece(_ascii_literal(character))

    def _parse_group(self, depth: int) -> _Piece:
        if self._take("?") and not self._take(":"):
            raise NoArrowForm
        piece = self.parse_choices(depth + 1)
        if not self._take(")"):
            raise NoArrowForm
        is_repeatable = piece.is_repeatable and not piece.is_end
        return _Piece(f"(?:{piece.text})", is_repeatable, piece.is_end, piece.takes_return)

    def _parse_escape(self) -> _Piece:
        character = self._next()
        if character.lower() in _CLASSES:
            negated = "^" if character.isupper() else ""
            is_return = (character == "s") if not negated else character != "S"
            return _Piece(f"[{negated}{_CLASSES[character.lower()]}]", takes_return=is_return)
        return _Piece(_escaped_literal(character), takes_return=character == "r")

    def _parse_class(self) -> _Piece:
        """Characters, ranges of letters or digits, and classes; a hyphen first or last."""
        is_negated = self._take("^")
        members: list[str] = []
        while not self._take("]"):
            members.append(self._parse_class_member(is_first=not members))
        if not members:
            raise NoArrowForm
        takes_return = is_negated or any(member in _RETURN_MEMBERS for member in members)
        return _Piece(f"[{'^' if is_negated else ''}{''.join(members)}]", takes_return=takes_return)

    def _parse_class_member(self, *, is_first: bool) -> str:
        character = self._next()
        if character == "\\":
            escaped = self._next()
            return _CLASSES[escaped] if escaped in _CLASSES else self._end_member(_escaped_literal(escaped))
        if character == "-" and (is_first or self._peek() == "]"):
            return self._end_member(_ascii_literal(character))
        if character in _SPECIAL_IN_CLASS:
            raise NoArrowForm
        if not self._begins_range():
            return _ascii_literal(character)
        self._index += 1
        last = self._next()
        if not (_is_ascii_alphanumeric(character) and _is_ascii_alphanumeric(last) and character <= last):
            raise NoArrowForm
        return f"{character}-{last}"

    def _end_member(self, literal: str) -> str:
        """A character that begins no range."""
        if self._begins_range():
            raise NoArrowForm
        return literal

    def _begins_range(self) -> bool:
        return self._peek() == "-" and self._regex[self._index + 1 : self._index + 2] != "]"

    def _parse_repetition(self, piece: _Piece) -> _Piece:
        repetition, can_be_empty = self._take_repetition()
        if not repetition:
            return piece
        if not piece.is_repeatable:
            raise NoArrowForm
        self._take("?")  # fewer first: a match is found all the same
        if not self.is_done and self._peek() in "?*+{":
            raise NoArrowForm
        return _Piece(f"{piece.text}{repetition}", not can_be_empty, takes_return=piece.takes_return)

    def _take_repetition(self) -> tuple[str, bool]:
        """As RE2 writes it, and whether it allows nothing."""
        for sign in "*+?":
            if self._take(sign):
                return sign, sign != "+"
        found = _COUNT.match(self._regex, self._index)
        if found is None:
            return "", False
        self._index = found.end()
        least, comma, most = found.groups()
        if most is not None and int(most) < int(least):
            raise NoArrowForm
        return f"{{{int(least)}{comma or ''}{'' if most is None else int(most)}}}", int(least) == 0

    def _peek(self) -> str:
        if self.is_done:
            raise NoArrowForm
        return self._regex[self._index]

    def _next(self) -> str:
        character = self._peek()
        self._index += 1
        return character

    def _take(self, character: str) -> bool:
        is_there = self._regex.startswith(character, self._index)
        self._index += len(character) * is_there
        return is_there


def _escaped_literal(character: str) -> str:
    if character in _ESCAPED_CONTROLS:
        return _literal(_ESCAPED_CONTROLS[character])
    if character.isalnum():
        raise NoArrowForm  # a class, a border, a back reference, a number
    return _ascii_literal(character)


def _ascii_literal(character: str) -> str:
    if not " " <= character <= "~":
        raise NoArrowForm
    return _literal(character)


def _literal(character: str) -> str:
    return character if _is_ascii_alphanumeric(character) else f"\\x{{{ord(character):x}}}"


def _is_ascii_alphanumeric(character: str) -> bool:
    return character.isascii() and character.isalnum()
