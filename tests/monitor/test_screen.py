"""What people see: text, never markup; and printing fails nothing."""

import ast
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

import sparkscore
from sparkscore.monitor import screen as screens
from sparkscore.monitor.screen import Screen, SteadyStream, people_screen, steady_output
from sparkscore.monitor.visible import visible_text
from tests.monitor.hostile import RAW, VALUES

SOURCE = Path(str(sparkscore.__file__)).parent


def printed(*values: object, terminal: bool = False, **wishes: bool) -> str:
    file = io.StringIO()
    Screen(file, width=200, terminal=terminal).print(*values, **wishes)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("wishes", [{}, {"markup": True, "emoji": True, "highlight": True}])
def test_a_value_is_shown_as_it_is_even_where_markup_is_asked_for(value: str, wishes: dict[str, bool]) -> None:
    assert printed(value, **wishes) == visible_text(value) + "\n"


@pytest.mark.parametrize("value", VALUES)
def test_cells_and_heads_of_tables_are_text(value: str) -> None:
    table = Table(box=None, pad_edge=False, title=value)
    table.add_column(value)
    table.add_row(value)
    assert printed(table).count(visible_text(value)) == 3


def test_text_that_was_made_elsewhere_shows_its_controls() -> None:
    assert printed(Text("a\x1b[2Jb\u202e")) == "a\\x1b[2Jb\\u202e\n"


def test_a_terminal_gets_styles_of_ours_and_no_others() -> None:
    shown = printed(Text("\x1b[2J[red]x", style="bold"), terminal=True)
    assert "\\x1b[2J[red]x" in shown
    assert "\x1b[2J" not in shown
    assert "\x1b[1m" in shown


class Broken(io.StringIO):
    """A stream that takes nothing."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error

    def flush(self) -> None:
        raise self.error


ERRORS = [BrokenPipeError(32, "pipe"), OSError(28, "No space left on device"), ValueError("closed file")]


@pytest.mark.parametrize("error", ERRORS)
def test_a_stream_that_takes_nothing_ends_nothing(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Broken(error))
    before = sys.stdout
    with steady_output() as stdout:
        assert stdout is before
        people_screen().print("words")
        sys.stdout.write("of a library")
        sys.stderr.write("more")
        sys.stderr.flush()
    assert sys.stdout is before


def test_no_stream_at_all_is_a_place_to_print_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with steady_output():
        people_screen().print("words")
        assert not sys.stderr.isatty()
        with pytest.raises(OSError, match="fileno"):
            sys.stderr.fileno()
    assert sys.stderr is None


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_a_stream_cannot_encode_is_escaped(encoding: str) -> None:
    raw = io.BytesIO()
    stream = SteadyStream(io.TextIOWrapper(raw, encoding=encoding, errors="strict"))
    stream.write("é 日 \ud800\n")
    stream.flush()
    shown = raw.getvalue().decode(encoding)
    assert shown.endswith(" \\ud800\n")
    assert ("日" in shown) == (encoding == "utf-8")


def test_a_steady_stream_is_what_it_stands_before() -> None:
    file = io.StringIO()
    stream = SteadyStream(file)
    assert stream.write("abc") == 3
    assert (stream.getvalue(), stream.writable(), stream.isatty()) == ("abc", True, False)
    assert Screen(stream).encoding == "utf-8"  # type: ignore[arg-type]


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from ((str(node.module), alias.name) for alias in node.names)


TREES = {file.relative_to(SOURCE).as_posix(): ast.parse(file.read_text()) for file in SOURCE.rglob("*.py")}
PRINTING = {
    *("monitor/screen.py", "monitor/formatting.py", "monitor/progress_reporter.py", "monitor/backfill_texts.py"),
    *("monitor/comparison_table.py", "monitor/explanation_formatting.py", "monitor/performance_formatting.py"),
}


def test_only_the_screen_makes_a_console() -> None:
    rich = {(file, name) for file, tree in TREES.items() for module, name in imports(tree) if module.startswith("rich")}
    assert {file for file, _ in rich} == PRINTING
    assert {file for file, name in rich if name == "Console"} == {"monitor/screen.py"}
    assert not {name for _, name in rich} & {"", "print", "inspect", "Prompt", "RichHandler", "Markdown", "escape"}


def calls(name: str) -> Iterator[tuple[str, ast.Call]]:
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called == name:
                    yield file, node


def test_no_markup_is_asked_for_anywhere() -> None:
    assert list(calls("from_markup")) == []
    assert list(calls("from_ansi")) == []
    for file, call in calls("TextColumn"):
        assert "markup=False" in ast.unparse(call), file
    asked = [keyword for tree in TREES.values() for keyword in ast.walk(tree) if isinstance(keyword, ast.keyword)]
    assert not [
        keyword
        for keyword in asked
        if keyword.arg in ("markup", "emoji", "highlight") and ast.unparse(keyword.value) != "False"
    ]


def test_print_is_used_by_the_entry_point_alone_and_never_without_its_stream() -> None:
    found = [(file, ast.unparse(call)) for file, call in calls("print") if isinstance(call.func, ast.Name)]
    assert {file for file, _ in found} == {"cli/verb_output.py"}
    assert all("file=" in text for _, text in found)


def test_log_lines_are_shaped_by_the_entry_point_alone() -> None:
    assert {file for file, _ in calls("ConsoleRenderer")} == {"cli/verb_output.py"}
    assert {file for file, _ in calls("PrintLogger")} == {"cli/verb_output.py"}


def test_raw_values_are_hostile() -> None:
    assert set("".join(VALUES)) >= RAW
    assert screens.DEFAULT_WIDTH == 200
