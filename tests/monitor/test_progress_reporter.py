"""Progress of a long part, on a terminal and elsewhere."""

import io
from threading import Event

import pytest

from sparkscore.monitor import progress_reporter
from sparkscore.monitor.screen import Screen


def watched(console: Screen, steps: list[int]) -> str:
    values, seen = iter(steps), Event()

    def done() -> int:
        """The next step; when it is asked after the last one, what came before has been shown."""
        try:
            return next(values)
        except StopIteration:
            seen.set()
            return steps[-1]

    with progress_reporter.console_progress(console)("score_and_stage", total=100, done=done):
        assert seen.wait(60)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_shows_rows_done_rows_per_second_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_reporter, "TERMINAL_INTERVAL_S", 0.02)
    shown = watched(Screen(io.StringIO(), terminal=True, width=120), [10, 40, 100])
    assert "score and stage" in shown
    assert "100/100" in shown
    assert "rows/s" in shown


def test_elsewhere_progress_is_plain_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress_reporter, "LOG_INTERVAL_S", 0.05)
    assert watched(Screen(io.StringIO()), [0, 50]) == ""
    shown = capsys.readouterr()
    lines = (shown.out + shown.err).splitlines()
    assert any("0 of 100" in line and "unknown" in line for line in lines)
    assert any("50 of 100" in line and "left" in line for line in lines)


def test_more_rows_than_expected_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_reporter, "TERMINAL_INTERVAL_S", 0.02)
    shown = watched(Screen(io.StringIO(), terminal=True, width=120), [170])
    assert "100/100" in shown


def test_a_failure_inside_ends_the_display_and_is_not_swallowed() -> None:
    watch = progress_reporter.console_progress(Screen(io.StringIO(), terminal=True))
    with pytest.raises(KeyError), watch("part", total=1, done=lambda: 0):
        raise KeyError("inside")


def test_the_name_of_a_part_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_reporter, "TERMINAL_INTERVAL_S", 0.02)
    console = Screen(io.StringIO(), terminal=True, width=120)
    with progress_reporter.console_progress(console)("[/y] {x} \x1b[2J :a:", total=1, done=lambda: 1):
        pass
    assert isinstance(console.file, io.StringIO)
    assert "[/y] {x} \\x1b[2J :a:" in console.file.getvalue()
