"""Runs Great Expectations without output."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.logger import PySparkLogger

_QUERY_ERROR_LOGGERS = ("DataFrameQueryContextLogger", "SQLQueryContextLogger")
"""PySpark's loggers that print failed queries, with values of rows, to stderr."""


@contextmanager
def suppress_gx_output() -> Iterator[None]:
    """A block without analytics, warnings and log lines of Great Expectations; reset afterwards."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    # Asked for by logging.getLogger first, PySpark's would be plain loggers, and its next error a TypeError.
    loggers = [
        logging.getLogger("great_expectations"),
        *[PySparkLogger.getLogger(name) for name in _QUERY_ERROR_LOGGERS],
    ]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
