"""Contains a model's own code: nothing that it raises counts as an error of the suite. Runs on executors."""

from collections.abc import Iterator
from contextlib import contextmanager

from sparkscore.errors import SparkscoreError


class ForeignError(Exception):
    """Wraps what a model's own code has raised if it would mean something else: an error of the suite, or an exit."""

    def __init__(self, original: BaseException) -> None:
        super().__init__(str(original))
        self.original = original


@contextmanager
def guard_foreign_code() -> Iterator[None]:
    """A block with a model's own code: errors of the suite's classes and exits leave it as `ForeignError`.

    Only the suite may say how a run ends, and a model may not end its process in the middle of a batch.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, SparkscoreError):
            raise ForeignError(error) from error
        raise
    except BaseException as error:
        raise ForeignError(error) from error


def unwrap_foreign_error(error: BaseException) -> BaseException:
    """What the model has raised, inside a `ForeignError` or not."""
    return error.original if isinstance(error, ForeignError) else error


def is_exit_error(error: BaseException) -> bool:
    """Whether it would end a process (SystemExit, KeyboardInterrupt), so that no row is at fault."""
    return not isinstance(unwrap_foreign_error(error), Exception)
