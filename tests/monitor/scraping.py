"""A Prometheus as it is installed, and what it scrapes: a folder of metrics, and a driver of Spark. All on loopback."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf" / "monitoring"
PATIENCE = 60.0
"""Seconds until Prometheus has scraped everything often enough, on a busy machine."""

DRIVER = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("scraped").getOrCreate()
spark.range(100).selectExpr("sum(id)").collect()
print(spark.sparkContext.uiWebUrl.rpartition(":")[2], flush=True)
sys.stdin.read()
spark.stop()
"""


@contextmanager
def collector(folder: Path) -> Iterator[int]:
    """What node exporter does with a folder, as far as Prometheus can tell."""

    class Handler(SimpleHTTPRequestHandler):
        extensions_map = {".prom": "text/plain; version=0.0.4"}  # noqa: RUF012

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def driver_ui(folder: Path) -> Iterator[int]:
    """The UI of a driver of its own, with what conf/spark/cluster.conf says of metrics."""
    lines = (ROOT / "conf" / "spark" / "cluster.conf").read_text().splitlines()
    chosen = [line for line in lines if line.startswith(("spark.ui.prometheus", "spark.metrics."))]
    chosen += ["spark.master local[1]", "spark.ui.enabled true", "spark.ui.port 0", "spark.driver.memory 512m"]
    chosen += [
        "spark.executor.heartbeatInterval 1s",
        "spark.driver.bindAddress 127.0.0.1",
        "spark.driver.host 127.0.0.1",
    ]
    (folder / "spark.conf").write_text("\n".join(chosen))
    environ = os.environ | {
        "PYSPARK_SUBMIT_ARGS": f"--properties-file {folder}/spark.conf pyspark-shell",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    with (folder / "spark.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVER],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line.strip().isdigit(), (folder / "spark.log").read_text()[-2000:]
            yield int(line)
        finally:
            process.stdin.close()
            process.wait(timeout=60)
            process.stdout.close()


@contextmanager
def prometheus(folder: Path, *, node: int, driver: int) -> Iterator[str]:
    """The example's config, with our ports and every second, under a real Prometheus."""
    config = yaml.safe_load((CONF / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(CONF / "alerts.yml")]
    for scraped in config["scrape_configs"]:
        port = node if scraped["job_name"] == "node" else driver
        scraped["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    config["scrape_configs"][0]["metrics_path"] = "/flight-delay.prom"
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            ["prometheus", *options, "--web.listen-address=127.0.0.1:0"],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        try:
            server = f"http://127.0.0.1:{_port_of(folder / 'prometheus.log')}"
            _wait_until_ready(server)
            yield server
        finally:
            process.terminate()
            process.wait(timeout=30)


def _port_of(log: Path) -> int:
    """The port that it says it listens on: one that we choose could be taken before it gets there."""
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE:
        found = re.search(r"Listening on\"? address=127\.0\.0\.1:(\d+)", log.read_text())
        if found:
            return int(found[1])
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def _wait_until_ready(server: str) -> None:
    """It listens before its store is open, and answers 503 until then."""
    begun = time.monotonic()
    while True:
        try:
            _DIRECT.open(f"{server}/-/ready", timeout=10).close()
        except urllib.error.HTTPError as refused:
            if refused.code != 503 or time.monotonic() - begun > PATIENCE:
                raise
            time.sleep(0.1)
        else:
            return


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""No proxy of this machine is between."""


def asked(server: str, path: str, **query: str) -> Any:
    """What Prometheus' API answers."""
    with _DIRECT.open(f"{server}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
        told = json.load(answer)
    assert told["status"] == "success", told
    return told["data"]
