"""Errors of py4j, which only a classic session has: `pyspark-client` comes without py4j, and raises none of them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py4j.protocol import Py4JError, Py4JJavaError
else:
    try:
        from py4j.protocol import Py4JError, Py4JJavaError
    except ImportError:

        class Py4JError(Exception):
            """Raised by nobody."""

        class Py4JJavaError(Py4JError):
            """Raised by nobody."""


__all__ = ["Py4JError", "Py4JJavaError"]
