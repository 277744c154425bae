"""SIGTERM of a process that drives Spark itself, and of one that has not started it."""

import signal
import subprocess
import sys

import pytest

STUCK = """
import ctypes, sys, types
from sparkscore.cli import termination
termination._RESULT_S = 0.1
termination.end_jvm_on_sigterm()
{jvm}
print("ready", flush=True)
while True:
    ctypes.CDLL(None).sleep(60)  # where no handler of Python's runs
"""
WITH_JVM = """
import subprocess
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print(child.pid, flush=True)
gateway = types.SimpleNamespace(proc=child)
sys.modules["pyspark"] = types.SimpleNamespace(SparkContext=types.SimpleNamespace(_gateway=gateway))
"""
ON_ITS_WAY = WITH_JVM.partition("gateway")[0]
SLOW_JVM = """
import os, signal, sys, time
def end(*_):
    time.sleep(1)
    os.write(1, b"the JVM ends\\n")  # print may be what the signal has interrupted
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(300)
"""
TELLS = f"""
import subprocess, sys, types
from sparkscore.cli import main, termination
def tell(verb, argv):
    child = subprocess.Popen([sys.executable, "-c", {SLOW_JVM!r}])
    gateway = types.SimpleNamespace(proc=child)
    sys.modules["pyspark"] = types.SimpleNamespace(SparkContext=types.SimpleNamespace(_gateway=gateway))
    termination._terminated.wait(120)
    print("told", flush=True)
    return 75
main.run_verb = tell
sys.argv = ["job"]
main.main("score")
"""


@pytest.mark.parametrize("jvm", ["", WITH_JVM, ON_ITS_WAY])
def test_it_ends_with_143_wherever_python_is_and_its_jvm_before_it(jvm: str) -> None:
    command = [sys.executable, "-c", STUCK.format(jvm=jvm)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(2 if jvm else 1)]
        assert lines[-1] == "ready"
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 143
        assert process.stdout.read() == ""  # nobody else holds it


def test_a_job_tells_its_result_and_ends_with_143_when_its_jvm_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", TELLS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 143
        assert process.stdout.read() == "told\nthe JVM ends\n"
