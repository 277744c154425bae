"""PySpark's daemon under coverage: its workers save what they have measured after every task.

They have no later moment: the daemon ends them by a signal that kills at once. `pyproject.toml` tells the rest.
"""

import socket

from coverage import Coverage
from pyspark import daemon

_run_task = daemon.worker


def _run_task_and_save(sock: socket.socket, authenticated: bool) -> int:
    try:
        return _run_task(sock, authenticated)
    finally:
        if (running := Coverage.current()) is not None:
            running.save()


if __name__ == "__main__":
    daemon.worker = _run_task_and_save
    daemon.manager()
