"""Several pytest processes beside one another do one run: each takes the next file of tests that none has taken yet.

    python -m pytest -p tests.lanes --queue FOLDER …     in each of them; the folder is the same one, empty at first
    python -m pytest -p tests.lanes --queue FOLDER --runtimes …       for tests that need torch or onnxruntime, alone

A file is imported by the process that takes it, and by no other. What takes longest is taken first, by
`tests/seconds.txt`; each process leaves what its files took in the folder, as `seconds-<pid>.txt`. `ci/test.sh` starts
them.
"""

import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

RECORD = Path(__file__).with_name("seconds.txt")
"""A file that is not in it takes no time. Beside it: that of the slow tests."""
TOGETHER = ("tests/connect", "tests/demo")
"""Folders that one process takes whole: their files share what takes longer to make than the tests take."""
RUNTIMES = (
    "tests/model/optimise/test_graph_attempts.py",
    "tests/model/runtimes/test_accelerators.py",
    "tests/model/runtimes/test_library_memory.py",
    "tests/model/runtimes/test_model_threads.py",
    "tests/model/runtimes/test_on_a_gpu.py",
    "tests/model/runtimes/test_onnx_runtime.py",
    "tests/model/runtimes/test_torch_runtime.py",
    "tests/model/runtimes/test_trained_categories.py",
    "tests/model/runtimes/test_transformers_pipelines.py",
    "tests/model/trust/test_file_formats.py",
    "tests/model/trust/test_model_trust.py",
    "tests/model/trust/test_onnx_references.py",
    "tests/model/trust/test_package_requirements.py",
    "tests/pipelines/test_optimize_model.py",
    "tests/scoring/test_model_matrix_of_libraries.py",
    "tests/workloads/engines/test_on_vllm.py",
    "tests/workloads/forecasts/test_forecast_model.py",
    "tests/workloads/forecasts/test_forecast_runs.py",
    "tests/workloads/reasons/test_explainers.py",
    "tests/workloads/images/test_image_example.py",
    "tests/workloads/images/test_image_model.py",
    "tests/workloads/images/test_image_runs.py",
    "tests/workloads/images/test_video_frames.py",
    "tests/workloads/embeddings/test_embedding_model.py",
    "tests/workloads/embeddings/test_embedding_notebook.py",
    "tests/workloads/embeddings/test_embedding_runs.py",
    "tests/workloads/embeddings/test_embedding_saving.py",
    "tests/workloads/embeddings/test_text_tokenizer.py",
)
"""Files with tests that are skipped where torch or onnxruntime are not there. All others run where they are not: what
imports scikit-learn whole, as the format of its models does, would take three times as long."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The folder that the processes share, and which tests they run."""
    parser.addoption("--runtimes", action="store_true", help="run the files that need torch or onnxruntime, no others")
    parser.addoption(
        "--seconds", type=Path, default=RECORD, help="what files took at some time: lines of seconds and file"
    )
    parser.addoption("--queue", type=Path, required=True, help="the folder that all processes of the run share")


def load_seconds(record: Path) -> Mapping[str, float]:
    """What each file of tests took at some time."""
    lines = (line.split(maxsplit=1) for line in record.read_text(encoding="utf-8").splitlines())
    return {file: float(seconds) for seconds, file in lines}


def part_of(file: str) -> str:
    """What is taken at once: the file, or a folder."""
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


@dataclass(eq=False)
class Lane:
    """This process: the files of tests by the part that each belongs to, none of them imported before it is taken."""

    session: pytest.Session
    parts: defaultdict[str, list[pytest.Module]] = field(default_factory=lambda: defaultdict(list))
    is_importing: bool = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> pytest.CollectReport | None:
        """In the place of the import of a file that is only found."""
        if self.is_importing or not isinstance(collector, pytest.Module):
            return None
        self.parts[part_of(collector.path.relative_to(self.session.config.rootpath).as_posix())].append(collector)
        return pytest.CollectReport(collector.nodeid, "passed", None, [])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """In the place of pytest's own loop over all tests."""
        option, collected = session.config.option, 0
        if option.collectonly:
            return None
        self.is_importing = True
        chosen = [part for part in self.parts if (part in RUNTIMES) == option.runtimes]
        for part in order_files(chosen, load_seconds(option.seconds)):
            if has_taken(option.queue, part):
                begun = time.monotonic()
                items = self.collect_items(part)
                collected += len(items)
                run_items(session, items)
                with (option.queue / f"seconds-{os.getpid()}.txt").open("a", encoding="utf-8") as record:
                    record.write(f"{time.monotonic() - begun:.1f} {part}\n")
        session.testscollected = max(collected, 1)  # whoever comes too late for any has not failed
        return True

    def collect_items(self, part: str) -> Sequence[pytest.Item]:
        """Its tests that the options select; none of a file that cannot be imported, which fails the run."""
        session = self.session
        session.items = [item for module in self.parts[part] for item in session.genitems(module)]
        session.config.hook.pytest_collection_modifyitems(session=session, config=session.config, items=session.items)
        return session.items


def pytest_sessionstart(session: pytest.Session) -> None:
    """The process takes part."""
    lane = Lane(session, is_importing=session.config.option.collectonly)
    session.config.pluginmanager.register(lane, "lane")


def run_items(session: pytest.Session, items: Sequence[pytest.Item]) -> None:
    """As pytest's own loop does it."""
    for place, item in enumerate(items, 1):
        following = items[place] if place < len(items) else cast(pytest.Item, Later(session))
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
