"""A client of Spark Connect in a process of its own, whose server is killed at a point of the verb that it runs.

`python -m tests.faults.connect_runner <order>`: a file with an order as JSON; the exit code and the result line of the
verb take its place.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from pyspark.sql.connect.client.retries import DefaultPolicy
from pyspark.sql.connect.conf import RuntimeConf

from sparkscore.cli.main import run_verb
from tests.faults.points import around
from tests.serverless import require_readable, require_settable

RETRIES = 2
"""Of PySpark's own client: with fifteen it waits for ten minutes."""


def give_up_soon() -> None:
    """PySpark's client tries a server that is gone a few times."""
    init: Any = DefaultPolicy.__init__
    init.__defaults__ = (RETRIES, *init.__defaults__[1:])


def refuse_settings() -> None:
    """What serverless compute lets nobody set this process cannot set either."""
    for name, require in (("set", require_settable), ("unset", require_settable), ("get", require_readable)):
        setattr(RuntimeConf, name, _guarded(getattr(RuntimeConf, name), require))


def _guarded(method: Any, require: Callable[[str], None]) -> Any:
    def ask(conf: RuntimeConf, key: str, *more: Any) -> Any:
        require(key)
        return method(conf, key, *more)

    return ask


def _struck(where: str, pid: int) -> AbstractContextManager[None]:
    if not where:
        return nullcontext()
    return contextmanager(around)(where, before=lambda: os.kill(pid, signal.SIGKILL))


def main(file: Path) -> None:
    """Do the order."""
    order, line = json.loads(file.read_text()), file.with_suffix(".line")
    give_up_soon()
    if order["serverless"]:
        refuse_settings()
    with _struck(order["where"], order["pid"]):
        verb, *words = order["words"]
        code = run_verb(verb, [*words, "--result", str(line)])
    file.write_text(json.dumps({"code": code, "result": json.loads(line.read_text())}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
