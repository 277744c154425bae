import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkscore.model.host import executor_process
from sparkscore.model.host.executor_process import Process, find_executor_process, find_process, wait_for_process_end


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture(params=["pidfd", "polling"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A kernel that has pidfds, and one that has none."""

    def missing(pid: int) -> int:
        raise OSError(38, "Function not implemented")

    if request.param == "polling":
        monkeypatch.setattr(os, "pidfd_open", missing)
    return str(request.param)


class TestWhichExecutor:
    def test_the_nearest_jvm_above(self, tmp_path: Path) -> None:
        (tmp_path / "java").symlink_to(sys.executable)
        daemon = "import subprocess; subprocess.run(['sh', '-c', 'sleep 60 & echo $$ $!; wait'])"
        jvm = subprocess.Popen([str(tmp_path / "java"), "-c", daemon], stdout=subprocess.PIPE, text=True)
        assert jvm.stdout is not None
        below = [int(pid) for pid in jvm.stdout.readline().split()]
        try:
            assert [find_executor_process(pid) for pid in below] == [find_process(jvm.pid)] * 2
        finally:
            for pid in below:
                find_process(pid).kill()
            jvm.kill()
            jvm.communicate()

    def test_the_parent_where_there_is_no_jvm(self, sleeper: subprocess.Popen[bytes]) -> None:
        assert find_executor_process(sleeper.pid) == find_process(os.getpid())


class TestLife:
    def test_a_process_lives_until_it_ends_and_a_zombie_does_not(
        self, sleeper: subprocess.Popen[bytes], kernel: str
    ) -> None:
        process = find_process(sleeper.pid)
        assert process.is_alive
        process.kill()
        wait_for_process_end(process, interval_s=0.02)
        assert find_process(sleeper.pid).is_alive is False
        process.kill()  # nothing happens

    def test_a_later_process_of_the_same_number_is_another(self, sleeper: subprocess.Popen[bytes], kernel: str) -> None:
        earlier = Process(sleeper.pid, find_process(sleeper.pid).start_ticks - 1)
        assert not earlier.is_alive
        wait_for_process_end(earlier)
        earlier.kill()
        assert sleeper.poll() is None

    def test_its_end_is_seen(self, sleeper: subprocess.Popen[bytes], kernel: str) -> None:
        waiting = threading.Thread(
            target=wait_for_process_end, args=(find_process(sleeper.pid),), kwargs={"interval_s": 0.02}
        )
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        sleeper.kill()
        waiting.join(60)
        assert not waiting.is_alive()

    def test_a_process_that_never_was_is_not_alive(self) -> None:
        assert not find_process(2**22 + 1).is_alive
        assert executor_process._read_parent_stat(2**22 + 1).pid == 0
