"""A standalone Spark on loopback, from the pip package: it takes the place of a cluster."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_GPUS = """#!/bin/sh
echo '{"name": "gpu", "addresses": [%s]}'
"""


@contextmanager
def standalone(folder: Path, *, cores: int = 2, gpus: int = 0, hosts: int = 1) -> Iterator[str]:
    """Its address. The processes are ended by their own numbers.

    A worker offers GPUs that are none: Spark hands out their addresses, which is all that tests of placement need.
    `hosts`: so many workers, each with another address of this machine.
    """
    import pyspark

    home = Path(pyspark.__file__).parent
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = os.environ | {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
    address = f"spark://127.0.0.1:{port}"
    start = [f"{home}/bin/spark-class"]
    master = [*start, "org.apache.spark.deploy.master.Master", "--port", str(port)]
    worker = [*start, "org.apache.spark.deploy.worker.Worker", "--cores", str(cores), "--memory", "2g"]
    worker += ["--work-dir", str(folder / "work"), *_offering(folder, gpus), address]
    workers = ((f"127.0.0.{host}", worker, "Successfully registered with master") for host in range(1, hosts + 1))
    with (folder / "log").open("w") as log:
        started = []
        try:
            for number, (host, (program, name, *more), sign) in enumerate(
                (("127.0.0.1", master, "I have been elected leader"), *workers)
            ):
                command = [program, name, "--host", host, "--webui-port", "0", *more]
                own = environ | {"SPARK_LOCAL_IP": host}
                started.append(subprocess.Popen(command, env=own, stdout=log, stderr=log, stdin=subprocess.DEVNULL))
                _wait_for(folder / "log", sign, times=max(1, number))
            yield address
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait(timeout=30)


def _offering(folder: Path, gpus: int) -> list[str]:
    if not gpus:
        return []
    script, properties = folder / "gpus.sh", folder / "worker.conf"
    script.write_text(_GPUS % ", ".join(f'"{address}"' for address in range(gpus)))
    script.chmod(0o700)
    properties.write_text(
        f"spark.worker.resource.gpu.amount {gpus}\nspark.worker.resource.gpu.discoveryScript {script}\n"
    )
    return ["--properties-file", str(properties)]


def _wait_for(log: Path, sign: str, *, times: int) -> None:
    for _ in range(300):
        if log.read_text().count(sign) >= times:
            return
        time.sleep(0.2)
    raise AssertionError(f"{sign!r} never appeared:\n{log.read_text()[-2000:]}")
