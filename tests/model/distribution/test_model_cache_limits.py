import ctypes
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from sparkscore.model.distribution import model_cache_limits
from sparkscore.model.distribution.model_cache_limits import memory_budget, process_rss_bytes

GIB = 1 << 30


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Eight CPUs; a container with 16 GiB."""
    (tmp_path / "memory.max").write_text(f"{16 * GIB}\n")
    (tmp_path / "unlimited").write_text("max\n")
    names = tuple(str(tmp_path / name) for name in ("memory.max", "unlimited", "nowhere"))
    monkeypatch.setattr(model_cache_limits, "_CGROUP_LIMIT_FILES", names)
    monkeypatch.setattr(os, "sysconf", lambda name: 64 * GIB // model_cache_limits._MEMORY_PAGE_BYTES)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))


def test_workers_of_one_core_share_a_quarter_of_the_containers_memory() -> None:
    assert memory_budget(1) == 16 * GIB // 4 // 8


def test_tasks_of_more_cores_have_more_each() -> None:
    assert memory_budget(4) == 16 * GIB // 4 // 2
    assert memory_budget(99) == 16 * GIB // 4


def test_a_limit_on_the_worker_itself_counts_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda what: (GIB // 4, resource.RLIM_INFINITY))
    assert memory_budget(1) == GIB // 8


def test_what_a_process_occupies_is_measured() -> None:
    before = process_rss_bytes()
    held = bytearray(b"1" * (64 << 20))
    assert process_rss_bytes() - before > len(held) // 2


def test_batches_of_megabytes_cause_no_page_faults_once_memory_is_kept() -> None:
    code = (
        "import resource, numpy; from sparkscore.model.distribution.model_cache_limits import keep_freed_memory\n"
        "keep_freed_memory()\n"
        "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "def batch(): return sum(len(one) for one in [numpy.ones(1_000_000) for _ in range(6)])\n"
        "for _ in range(20): batch()\n"
        "before = faults()\n"
        "for _ in range(20): batch()\n"
        "print(faults() - before)"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    assert int(subprocess.check_output([sys.executable, "-c", code], env=environ)) < 1000  # else 60,000


@pytest.mark.parametrize("name", ["MALLOC_TOP_PAD_", "GLIBC_TUNABLES"])
def test_an_environment_that_says_how_memory_is_kept_is_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr(ctypes, "CDLL", None)
    model_cache_limits.keep_freed_memory()
