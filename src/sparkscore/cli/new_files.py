"""Files that a verb makes for a person, and never over one that exists."""

from collections.abc import Callable
from pathlib import Path

from sparkscore.cli.verb_output import write_flag_file
from sparkscore.errors import ConfigError


def refuse_existing_file(flag: str, path: str | Path) -> None:
    """Refuse a path at which something is.

    Raises:  ConfigError.
    """
    if Path(path).exists() or Path(path).is_symlink():
        raise ConfigError(f"{flag} {path} exists", "a new file: nothing is overwritten", "name another, or remove it")


def create_new_file(flag: str, file: Path, text: str, *, check: Callable[[Path], None] | None = None) -> Path:
    """A new file with this text, without secrets. `check` reads it beside its place, and raises for what is wrong.

    Raises:  ConfigError where there is one, or it cannot be written; what `check` raises, and then there is none.
    """
    refuse_existing_file(flag, file)
    draft = file.with_name(f".{file.name}.draft")
    write_flag_file(flag, str(draft), text)
    try:
        if check is not None:
            check(draft)
        file.hardlink_to(draft)
    except FileExistsError:
        refuse_existing_file(flag, file)
    finally:
        draft.unlink(missing_ok=True)
    return file
