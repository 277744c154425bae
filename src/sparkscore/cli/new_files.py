"""Files that a verb makes for a person, and never over one that exists."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from sparkscore.cli.verb_output import write_flag_file
from sparkscore.errors import ConfigError
from sparkscore.whole_files import place_new_file


def refuse_existing_file(flag: str, path: str | Path) -> None:
    """Refuse a path at which something is.

    Raises:  ConfigError, for a path that cannot be looked at, too.
    """
    try:
        is_taken = Path(path).is_symlink() or Path(path).exists()
    except OSError as error:
        raise ConfigError(f"{flag} {path}: {error.strerror}", "the path of a new file", "name another file") from error
    if is_taken:
        raise _existing_file_error(flag, path)


def create_new_file(flag: str, file: Path, text: str, *, check: Callable[[Path], None] | None = None) -> Path:
    """A new file with this text, without secrets. `check` reads it beside its place, and raises for what is wrong.

    The file is there whole, or not at all.

    Raises:  ConfigError where there is one, or it cannot be written; what `check` raises, and then there is none.
    """
    refuse_existing_file(flag, file)
    draft = file.with_name(f".sparkscore-{uuid4().hex}.draft")  # two at once have one each
    try:
        write_flag_file(flag, str(draft), text)
        if check is not None:
            check(draft)
        _place_file(flag, draft, file)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return file


def _place_file(flag: str, draft: Path, file: Path) -> None:
    try:
        is_placed = place_new_file(draft, file)
    except OSError as error:
        raise ConfigError(
            f"{flag} {file}: {error.strerror}", "a file that can be written", "name another file"
        ) from error
    if not is_placed:
        raise _existing_file_error(flag, file)


def _existing_file_error(flag: str, path: str | Path) -> ConfigError:
    return ConfigError(f"{flag} {path} exists", "a new file: nothing is overwritten", "name another, or remove it")
