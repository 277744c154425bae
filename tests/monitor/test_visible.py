"""Text that is not ours, as it may be shown."""

import pytest

from sparkscore.monitor.visible import visible_line, visible_text
from tests.monitor.hostile import RAW, VALUES


@pytest.mark.parametrize("value", VALUES)
def test_nothing_that_steers_a_terminal_is_left(value: str) -> None:
    assert not RAW & set(visible_text(value))
    assert visible_text(value).encode()


def test_controls_are_shown_as_python_writes_them() -> None:
    assert visible_text("\x1b[2J a\rb \u202ex \ud800 \x9b") == "\\x1b[2J a\\rb \\u202ex \\ud800 \\x9b"


@pytest.mark.parametrize("text", ["[/y] :smile: %s {x} \\d", "Ünïcödé 日本 עברית 👩\u200d💻", "one\ntwo\tthree", ""])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert visible_text(text) == text


def test_a_line_stays_one_line() -> None:
    assert visible_line("one\n12:00:00 [info] published\ttwo") == "one\\n12:00:00 [info] published\\ttwo"
