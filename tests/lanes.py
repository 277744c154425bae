"""Several pytest processes beside one another do one run: each takes the next file of tests that none has taken yet.

    python -m pytest -p tests.lanes --queue FOLDER …     in each of them; the folder is the same one, empty at first
    python -m pytest -p tests.lanes --queue FOLDER --runtimes …       for tests that need torch or onnxruntime, alone

A file is imported by the process that takes it, and by no other. What takes longest is taken first, by
`tests/seconds.txt`; each process leaves what its files took in the folder, as `seconds-<pid>.txt`. `ci/test.sh` starts
them.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

RECORD = Path(__file__).with_name("seconds.txt")
"""Lines of seconds and file; a file that is not there takes no time."""
TOGETHER = ("tests/connect", "tests/demo")
"""Folders that one process takes whole: their files share what takes longer to make than the tests take."""
RUNTIMES = (
    "tests/model/runtimes/test_onnx_runtime.py",
    "tests/model/runtimes/test_torch_runtime.py",
    "tests/model/trust/test_file_formats.py",
    "tests/model/trust/test_model_trust.py",
    "tests/model/trust/test_onnx_references.py",
    "tests/scoring/test_reject_bisection.py",
)
"""Files with tests that are skipped where torch or onnxruntime are not there. All others run where they are not: what
imports scikit-learn whole, as the format of its models does, would take three times as long."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The folder that the processes share, and which tests they run."""
    parser.addoption("--runtimes", action="store_true", help="run the files that need torch or onnxruntime, no others")
    parser.addoption("--queue", type=Path, required=True, help="the folder that all processes of the run share")


def load_seconds(record: Path) -> Mapping[str, float]:
    """What each file of tests took at some time."""
    lines = (line.split(maxsplit=1) for line in record.read_text(encoding="utf-8").splitlines())
    return {file: float(seconds) for seconds, file in lines}


def part_of(file: str) -> str:
    """What is taken at once: the file, or a folder."""
    return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)


def list_files(folder: Path, arguments: Iterable[str]) -> Iterator[str]:
    """The files of tests that the arguments name, or that lie in folders that they name: relative to the folder."""
    for argument in arguments:
        path = folder / argument
        for file in path.rglob("test_*.py") if path.is_dir() else [path]:
            yield file.relative_to(folder).as_posix()


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
def pytest_collection() -> bool:
    """In the place of pytest's own: nothing is collected yet."""
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """In the place of pytest's own loop over all tests."""
    config = session.config
    queue: Path = config.option.queue
    files = list_files(config.rootpath, config.args)
    parts = {part_of(file) for file in files if (file in RUNTIMES) == config.option.runtimes}
    for part in order_files(list(parts), load_seconds(RECORD)):
        if has_taken(queue, part):
            begun = time.monotonic()
            run_items(session, collect_items(session, part))
            with (queue / f"seconds-{os.getpid()}.txt").open("a", encoding="utf-8") as record:
                record.write(f"{time.monotonic() - begun:.1f} {part}\n")
    session.testscollected = max(session.testscollected, 1)  # whoever comes too late for any has not failed
    return True


def collect_items(session: pytest.Session, part: str) -> Sequence[pytest.Item]:
    """The tests of a file or folder that the options select; none where it cannot be imported, which fails the run."""
    option = session.config.option
    verbosity, option.verbose = option.verbose, -1  # else it says for each file how many tests there are
    try:
        session.perform_collect([str(session.config.rootpath / part)])
    finally:
        option.verbose = verbosity
    return session.items


def run_items(session: pytest.Session, items: Sequence[pytest.Item]) -> None:
    """As pytest's own loop does it."""
    for place, item in enumerate(items, 1):
        following = items[place] if place < len(items) else cast(pytest.Item, Later(session))
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
