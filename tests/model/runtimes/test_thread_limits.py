import os
import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest
import threadpoolctl

from sparkscore.model.runtimes import thread_limits
from sparkscore.model.runtimes.thread_limits import limit_threads

pytestmark = pytest.mark.usefixtures("own_environment")


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The limits that were handed to the libraries."""
    seen: list[int] = []
    monkeypatch.setattr(threadpoolctl, "threadpool_limits", seen.append)
    return seen


def test_as_many_threads_as_cores_whatever_the_library() -> None:
    work = """
        import os
        from sparkscore.model.runtimes.thread_limits import limit_threads
        limit_threads(2)
        import numpy, scipy.linalg, sklearn.ensemble
        limit_threads(2)
        from threadpoolctl import threadpool_info
        print(max(library["num_threads"] for library in threadpool_info()), os.environ["OMP_NUM_THREADS"])
        limit_threads(1)
        print(max(library["num_threads"] for library in threadpool_info()), os.environ["OMP_NUM_THREADS"])
    """
    environment = {name: value for name, value in os.environ.items() if name not in thread_limits.THREAD_VARIABLES}
    lines = [line.strip() for line in work.splitlines()]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["2 2", "1 1"]


def test_libraries_are_looked_for_once_while_nothing_changes(
    limits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for cores in (2, 2, 1, 1):
        limit_threads(cores)
    assert limits == [2, 1]
    monkeypatch.setitem(sys.modules, "a_new_library", import_module("json"))
    limit_threads(1)
    assert limits == [2, 1, 1]
    assert {os.environ[name] for name in thread_limits.THREAD_VARIABLES} == {"1"}


def test_pytorch_is_told_where_it_is_there(limits: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []

    class Torch:
        set_num_threads: Any = staticmethod(told.append)

    monkeypatch.setitem(sys.modules, "torch", Torch)
    limit_threads(3)
    assert told == limits == [3]
