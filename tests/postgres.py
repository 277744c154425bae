"""A PostgreSQL on loopback, from Debian's package, and the JDBC driver with which Spark reaches it.

`python -m tests.postgres` fetches the driver, once, to where Spark keeps what it has resolved; tests/conftest.py names
it to the JVM from there.
"""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sparkscore.spark.delta_jars import RESOLVED_JARS_FOLDER

_JDBC_VERSION = "42.7.14"
JDBC_PACKAGE = f"org.postgresql:postgresql:{_JDBC_VERSION}"
_JDBC_DIGEST = "73914527305a40cce504b0d3d90b23caf565136912d607ae8ae7c5895512332c"
_NOT_NEEDED = "org.checkerframework:checker-qual"
_RESOLVE = (
    "from pyspark.sql import SparkSession;"
    "SparkSession.builder.master('local[1]').config('spark.ui.enabled', 'false').getOrCreate().stop()"
)
_VERSIONS = Path("/usr/lib/postgresql")
"""Where Debian's package keeps a server's programs: they are not on PATH."""
USER, PASSWORD, DATABASE = "scorer", "pg-s3cret", "postgres"
_PATIENCE_S = 60


@dataclass(frozen=True)
class Postgres:
    """A server that runs."""

    port: int
    programs: Path

    @property
    def jdbc_url(self) -> str:
        """As Spark's JDBC source names it; without user and password."""
        return f"jdbc:postgresql://127.0.0.1:{self.port}/{DATABASE}"

    @property
    def uri(self) -> str:
        """As libpq and ADBC name it; with user and password."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{DATABASE}"

    def run_sql(self, text: str) -> str:
        """What psql answers: one line per row, columns between `|`."""
        command = [str(self.programs / "psql"), self.uri, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]
        command += ["--set", "ON_ERROR_STOP=1", "--command", text]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def find_postgres_programs() -> Path | None:
    """The folder of a server's programs, of the newest version that is installed; None where there is none."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    versions = sorted(_VERSIONS.glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    return versions[-1].parent if versions else None


def find_jdbc_driver() -> Path | None:
    """PostgreSQL's JDBC driver where Spark has resolved it; None where it is not there, or is another file."""
    jar = Path.home() / RESOLVED_JARS_FOLDER / f"org.postgresql_postgresql-{_JDBC_VERSION}.jar"
    is_known = jar.exists() and hashlib.sha256(jar.read_bytes()).hexdigest() == _JDBC_DIGEST
    return jar if is_known else None


def add_jdbc_driver() -> None:
    """Put the driver on the class path of each JVM that this process starts.

    Last on it: an archive of classes holds where what it was made with comes first.
    """
    jar = find_jdbc_driver()
    if jar is not None:
        paths = [os.environ.get("SPARK_DIST_CLASSPATH", ""), str(jar)]
        os.environ["SPARK_DIST_CLASSPATH"] = os.pathsep.join(path for path in paths if path)


def fetch_jdbc_driver() -> None:
    """Make Spark resolve the driver, unless it is there."""
    if find_jdbc_driver() is None:
        options = f"--packages {JDBC_PACKAGE} --exclude-packages {_NOT_NEEDED} pyspark-shell"
        environ = {name: value for name, value in os.environ.items() if name != "SPARK_SUBMIT_OPTS"}
        command = [sys.executable, "-c", _RESOLVE]
        subprocess.run(command, env=environ | {"PYSPARK_SUBMIT_ARGS": options}, check=True)


needs_postgres = pytest.mark.skipif(
    find_postgres_programs() is None, reason="no PostgreSQL is installed: apt-get install postgresql"
)
needs_jdbc_driver = pytest.mark.skipif(
    find_jdbc_driver() is None, reason="PostgreSQL's JDBC driver is not there: python -m tests.postgres fetches it"
)


@contextmanager
def serve_postgres(folder: Path) -> Iterator[Postgres]:
    """A new server, with its data under a folder; ended by its own number."""
    programs = find_postgres_programs()
    assert programs is not None
    data = _make_data_folder(folder)
    _make_cluster(programs, data)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server = Postgres(probe.getsockname()[1], programs)
    command = [*_as_server_user(), str(programs / "postgres"), "-D", str(data), "-h", "127.0.0.1"]
    # nothing of it is to survive a crash
    command += ["-p", str(server.port), "-k", "", "-c", "fsync=off", "-c", "max_connections=40"]
    log = data.with_name("log")
    with log.open("w") as written:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=written, stderr=written, cwd="/")
    try:
        _wait_until_ready(server, process, log)
        yield server
    finally:
        _end_server(process)
        shutil.rmtree(data.parent, ignore_errors=True)


def _as_server_user() -> list[str]:
    """The server refuses to run as root."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []


def _make_data_folder(folder: Path) -> Path:
    """pytest's folders are closed to the server's user: where that is another one, its data lies beside them."""
    if os.getuid() != 0:
        return folder / "postgres" / "data"
    made = Path(tempfile.mkdtemp(prefix="sparkscore-postgres-"))
    shutil.chown(made, "postgres", "postgres")
    return made / "data"


def _make_cluster(programs: Path, data: Path) -> None:
    secret = data.with_name("password")
    data.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text(PASSWORD)
    if os.getuid() == 0:
        shutil.chown(secret, "postgres", "postgres")
    command = [*_as_server_user(), str(programs / "initdb"), "-D", str(data), "--username", USER, "--no-sync"]
    command += ["--pwfile", str(secret), "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr


def _wait_until_ready(server: Postgres, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    ask = [str(server.programs / "pg_isready"), "--quiet", "-h", "127.0.0.1", "-p", str(server.port)]
    while subprocess.run(ask, check=False).returncode != 0:
        if process.poll() is not None or time.monotonic() > until:
            raise AssertionError(log.read_text()[-2000:])
        time.sleep(0.05)


def _end_server(process: subprocess.Popen[bytes]) -> None:
    """At once: a polite request waits for clients that stay connected."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=10)


if __name__ == "__main__":
    fetch_jdbc_driver()
