"""The page of errors and exit codes, from `errors`."""

from collections.abc import Iterator

from ci.reference.markdown import escape_words, format_code, format_page, format_table
from ci.reference.source_text import read_attribute_texts, read_summary

from sparkscore import errors
from sparkscore.errors import MONITORING_BREACH, SparkscoreError

_INTRODUCTION = """\
Every error says what was found, what was expected and what to do; on the result line it is `error`, with its
class, its message and whether a retry of the same command may help. The exit code of the process is that of the
class. [Troubleshooting](../troubleshooting.md) goes by symptom."""
_TREE_WORDS = "A class that is indented is a kind of the one above it: `except ModelError` catches all of its kinds."


def build_error_page() -> str:
    """The page."""
    tree = format_table(
        ("class", "exit code", "retry helps", "meaning", "what to do"),
        [_format_error(kind, depth) for kind, depth in walk_errors(SparkscoreError)],
    )
    codes = format_table(("exit code", "meaning"), _exit_codes())
    return format_page("Errors", [_INTRODUCTION, "## Exit codes", codes, "## Classes", _TREE_WORDS, tree])


def walk_errors(kind: type[SparkscoreError], depth: int = 0) -> Iterator[tuple[type[SparkscoreError], int]]:
    """A class and its kinds in the order of their definition, each with how deep it stands."""
    yield kind, depth
    for inner in kind.__subclasses__():
        if inner.__module__ == errors.__name__:
            yield from walk_errors(inner, depth + 1)


def _exit_codes() -> Iterator[tuple[str, str]]:
    yield "0", "Done; published already; nothing to score."
    branches = {
        kind.exit_code: kind for kind, depth in walk_errors(SparkscoreError) if depth < 2 and kind.exit_code > 1
    }
    found = {str(code): _summary(kind) for code, kind in branches.items()}
    found[str(MONITORING_BREACH)] = escape_words(read_attribute_texts(errors)["MONITORING_BREACH"])
    yield from sorted(found.items(), key=lambda named: int(named[0]))
    yield "143", "SIGTERM: the JVM ended the process; the next start closes the open attempt as `aborted`."
    yield "1", "Anything else; `--debug` shows the stack trace."


def _format_error(kind: type[SparkscoreError], depth: int) -> tuple[str, ...]:
    name = f"{'&emsp;' * depth}{format_code(kind.__name__)}"
    return name, str(kind.exit_code), "yes" if kind.retryable else "no", _summary(kind), escape_words(kind.remedy)


def _summary(kind: type[SparkscoreError]) -> str:
    return escape_words(read_summary(kind))
