"""A Spark Connect server on loopback, from the pip package, with Delta's jars: a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"


@contextmanager
def connect_server(folder: Path, *, conf: Mapping[str, str] | None = None, slots: int = 2) -> Iterator[str]:
    """Its address, `sc://127.0.0.1:port`. The process is ended by its own number."""
    import pyspark

    from sparkscore.spark.session import choose_server_conf

    home = Path(pyspark.__file__).parent
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {
        "spark.connect.grpc.binding.port": str(port),
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.log.level": "INFO",
        "spark.local.dir": str(folder / "local"),
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }
    given = {**choose_server_conf(), **own, **(conf or {})}
    properties = folder / "server.conf"
    properties.write_text("".join(f"{name} {value}\n" for name, value in given.items()))
    command = [f"{home}/bin/spark-submit", "--master", f"local[{slots},4]", "--driver-memory", "1g"]
    command += ["--properties-file", str(properties), "--class", _SERVER, "spark-internal"]
    unset = ("PYSPARK_SUBMIT_ARGS", "SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED", "PYSPARK_GATEWAY_PORT", "PYTHONPATH")
    environ = {name: value for name, value in os.environ.items() if name not in unset}
    environ |= {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    log = folder / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, env=environ, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=folder
        )
        try:
            _await_port(port, server, log)
            yield f"sc://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def _await_port(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(300):
        if server.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError(f"the Spark Connect server did not start:\n{log.read_text()[-2000:]}")
