"""Private copies of models on the driver, named by their digest. Holds only that I/O."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sparkscore.errors import AccessDenied, ModelError
from sparkscore.model.digest import digest_of


def private_copy(fetch: Callable[[Path], Path], copies: str) -> tuple[Path, str]:
    """The folder `<copies>/<digest>` with what `fetch` downloads into the folder it is given, and the digest.

    A copy that is there already is used if its files still have that digest, else replaced. It appears all at once,
    readable by its owner alone.

    Runs on: driver.
    Raises:  AccessDenied where the folder cannot be written; what `fetch` raises; ModelError for links among the files.
    """
    with _workplace(Path(copies)) as workplace:
        fetched = fetch(workplace)
        digest = digest_of(fetched)
        target = Path(copies, digest)
        if not _holds(target, digest):
            shutil.rmtree(target, ignore_errors=True)
            fetched.chmod(0o700)
            _moved(fetched, target, digest)
        return target, digest


def _moved(fetched: Path, target: Path, digest: str) -> None:
    try:
        fetched.rename(target)
    except OSError:  # another process was faster
        if not _holds(target, digest):
            raise


def _holds(folder: Path, digest: str) -> bool:
    try:
        return folder.is_dir() and digest_of(folder) == digest
    except ModelError:
        return False


@contextmanager
def _workplace(copies: Path) -> Iterator[Path]:
    try:
        copies.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = tempfile.mkdtemp(dir=copies, prefix=".fetch-")
    except OSError as error:
        raise AccessDenied(
            f"no writing to {copies}: {error.strerror}",
            "a folder for copies of models",
            "check its owner and mode, or set home",
        ) from error
    try:
        yield Path(made)
    finally:
        shutil.rmtree(made, ignore_errors=True)
