"""Runs MLflow without output and with short retries. The settings last for a block and are reset afterwards."""

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout

_QUIET_VARIABLES = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # the URL has the user info of the tracking URI
}
_SHORT_RETRY_VARIABLES = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
}
_DOWNLOAD_VARIABLES = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
"""A server that fetches files from its own store first may be silent for long."""
_DATABASE_ATTEMPTS = 2


@contextmanager
def suppress_mlflow_output() -> Iterator[None]:
    """No telemetry, no progress bars, nothing of MLflow's on stdout, which holds a job's result alone.

    Its log is off too: it writes tracebacks of failures that are raised anyway.
    """
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with _set_default_variables(_QUIET_VARIABLES), redirect_stdout(sys.stderr):
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def limit_mlflow_retries() -> Iterator[None]:
    """Few and short retries: by default MLflow asks a server for minutes, and a database ten times over 100 seconds."""
    with limit_mlflow_database_attempts(), _set_default_variables(_SHORT_RETRY_VARIABLES):
        yield


@contextmanager
def limit_mlflow_downloads() -> Iterator[None]:
    """Few retries: by default MLflow asks a server that is silent for a quarter of an hour and more for each file."""
    with limit_mlflow_database_attempts(), _set_default_variables(_DOWNLOAD_VARIABLES):
        yield


@contextmanager
def limit_mlflow_database_attempts() -> Iterator[None]:
    """Few attempts of MLflow to reach a database: by default it tries for 100 seconds."""
    import mlflow.store.db.utils as database

    original = database.MAX_RETRY_COUNT  # there is no setting for it
    database.MAX_RETRY_COUNT = min(original, _DATABASE_ATTEMPTS)
    try:
        yield
    finally:
        database.MAX_RETRY_COUNT = original


@contextmanager
def _set_default_variables(variables: Mapping[str, str]) -> Iterator[None]:
    """The environment with these variables where they were not set."""
    added = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
