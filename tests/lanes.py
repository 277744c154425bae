"""Several pytest processes beside one another do one run: each takes the next file of tests that none has taken yet.

    python -m pytest -p tests.lanes --queue FOLDER …     in each of them; the folder is the same one, empty at first

What takes longest is taken first, by `tests/seconds.txt`; each process leaves what its files took in the folder, as
`seconds-<pid>.txt`. `ci/test.sh` starts them.
"""

import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

RECORD = Path(__file__).with_name("seconds.txt")
"""Lines of seconds and file; a file that is not there takes no time."""
TOGETHER = ("tests/demo",)
"""Folders that one process takes whole: their files share what takes longer to make than the tests take."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The folder that the processes share."""
    parser.addoption("--queue", type=Path, required=True, help="the folder that all processes of the run share")


def load_seconds(record: Path) -> Mapping[str, float]:
    """What each file of tests took at some time."""
    lines = (line.split(maxsplit=1) for line in record.read_text(encoding="utf-8").splitlines())
    return {file: float(seconds) for seconds, file in lines}


def part_of(nodeid: str) -> str:
    """What is taken at once: the test's file, or a folder."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)


def order_files(files: Sequence[str], seconds: Mapping[str, float]) -> Sequence[str]:
    """The longest first; by name where nothing is known."""
    return sorted(files, key=lambda file: (-seconds.get(file, 0.0), file))


def has_taken(queue: Path, file: str) -> bool:
    """Whether this process is the one that takes the file."""
    try:
        os.close(os.open(queue / f"{file.replace('/', '--')}.taken", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


@dataclass(frozen=True)
class Later:
    """In the place of the next test while it is not known which file comes next: the session alone is kept for it."""

    session: pytest.Session

    def listchain(self) -> list[pytest.Session]:
        """What is not taken down."""
        return [self.session]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """In the place of pytest's own loop over all tests."""
    if session.config.option.collectonly or session.testsfailed:
        return None
    files: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in session.items:
        files[part_of(item.nodeid)].append(item)
    queue: Path = session.config.option.queue
    for file in order_files(list(files), load_seconds(RECORD)):
        if has_taken(queue, file):
            begun = time.monotonic()
            run_items(session, files[file])
            with (queue / f"seconds-{os.getpid()}.txt").open("a", encoding="utf-8") as record:
                record.write(f"{time.monotonic() - begun:.1f} {file}\n")
    return True


def run_items(session: pytest.Session, items: Sequence[pytest.Item]) -> None:
    """As pytest's own loop does it."""
    for item, following in zip(items, [*items[1:], cast(pytest.Item, Later(session))], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
