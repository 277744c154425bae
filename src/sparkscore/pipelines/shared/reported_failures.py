"""Failures of verbs that are no attempt of a run: as errors of the suite that carry what was done until then."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sparkscore.errors import SparkscoreError
from sparkscore.redaction.exception_redaction import redact_exception
from sparkscore.spark.error_translation import to_sparkscore_error


@contextmanager
def attach_report_to_failures(what: str, build_report: Callable[[SparkscoreError], object]) -> Iterator[None]:
    """Turn every failure inside, while doing `what`, into an error of the suite with the report that is built of it.

    A failure that is unknown passes as it is, without secrets.
    """
    try:
        yield
    except Exception as error:
        known = error if isinstance(error, SparkscoreError) else to_sparkscore_error(error, what)
        redact_exception(error)
        if known is None:
            raise
        known.report = build_report(known)
        if known is error:
            raise
        raise known from error
