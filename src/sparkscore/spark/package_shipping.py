"""Brings this package to the Python workers of a Spark Connect server, which need not have it, nor the same version."""

import hashlib
import sys
import tempfile
import zipfile
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from weakref import WeakSet

from pyspark.sql import SparkSession

from sparkscore.spark.session_kind import is_connect_session

_EPOCH = (1980, 1, 1, 0, 0, 0)
_HAVING: WeakSet[SparkSession] = WeakSet()


def ship_package(spark: SparkSession) -> None:
    """Send the package to the session, once, where it is one of Connect: before what is installed there.

    Jobs:    none.
    """
    if not is_connect_session(spark) or spark in _HAVING:
        return
    folder = _sparkscore_folder()
    if folder is not None:
        with tempfile.TemporaryDirectory(prefix="sparkscore-") as workplace:
            content, name = _zip_package(folder)
            archive = Path(workplace, name)
            archive.write_bytes(content)
            spark.addArtifacts(str(archive), pyfile=True)
            with suppress(ValueError):  # PySpark's client looks for modules there from now on
                sys.path.remove(str(archive))
    _HAVING.add(spark)


def _sparkscore_folder() -> Path | None:
    """Where the package lies; None inside an archive, which whoever made it has sent."""
    spec = find_spec("sparkscore")
    folder = None if spec is None or spec.origin is None else Path(spec.origin).parent
    return folder if folder is not None and folder.is_dir() else None


@cache
def _zip_package(folder: Path) -> tuple[bytes, str]:
    """The archive and its name, which tells what is in it: a session takes one name once."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.suffix != ".pyc":
                    name = zipfile.ZipInfo(f"sparkscore/{path.relative_to(folder).as_posix()}", _EPOCH)
                    archive.writestr(name, path.read_bytes(), zipfile.ZIP_DEFLATED)
        file.seek(0)
        content = file.read()
    return content, f"sparkscore-{hashlib.sha256(content).hexdigest()[:16]}.zip"
