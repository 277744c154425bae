"""What stores and catalogs say when they refuse, in words of pyarrow, deltalake and Hadoop. Executors use it, too."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from sparkscore.errors import AccessDenied, ConfigError, SparkscoreError, TemporaryError
from sparkscore.redaction.secret_patterns import shorten_redacted

_EXPIRED = re.compile(
    r"Expired_?Token|TokenRefreshRequired|RequestExpired|ExpiredAuthenticationToken|AWSBadRequestException"
    r"|(token|credentials?|session|signature)\b[^\n]{0,80}\b(has|have|is|are) (been )?expired"
    # to a HEAD a store answers without a reason
    r"|HTTP status 400\) during Head|performing HEAD [^\n]{0,400}status 400",
    re.IGNORECASE,
)
_NO_BUCKET = re.compile(
    r"NoSuchBucket|NO_SUCH_BUCKET|UnknownStoreException|specified (bucket|container|filesystem) does not exist"
    r"|ContainerNotFound|FilesystemNotFound",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"ACCESS_DENIED|AccessDenied|INVALID_?ACCESS_?KEY_?ID|SIGNATURE_?DOES_?NOT_?MATCH|AuthorizationPermissionMismatch"
    r"|AuthorizationFailure|403 Forbidden|status:? 403|Insufficient [^\n]{0,60}permission"
    r"|does not have \[?\w+\]? privilege",
    re.IGNORECASE,
)
_UNREACHABLE = re.compile(
    r"NETWORK_CONNECTION|could(n.t| not) (connect|resolve)|connection (refused|reset|closed|timed out)"
    r"|request timed? ?out|error sending request|SLOW_?DOWN|INTERNAL_FAILURE|ServiceUnavailable|SERVICE_UNAVAILABLE"
    r"|HTTP status 5\d\d|status 5\d\d|TTransportException|MetaStoreClient|SocketTimeoutException|ConnectException"
    r"|UnknownHostException|AWSServiceThrottledException|AWSStatus500Exception|AWSServiceIOException",
    re.IGNORECASE,
)


class _StorageFailure(NamedTuple):
    """A kind of failure: how messages of it look, and the error that it becomes."""

    pattern: re.Pattern[str]
    error: type[SparkscoreError]
    found: str
    expected: str
    do: str

    def to_error(self, what: str, line: str) -> SparkscoreError:
        """The error for a line of a message."""
        return self.error(self.found.format(what=what, line=line), self.expected, self.do)


_REFUSALS = (
    _StorageFailure(
        re.compile(r"PATH_BASED_ACCESS_TO_CATALOG_MANAGED_TABLE_BLOCKED"),
        ConfigError,
        "its catalog keeps the commits of the table, and nobody may read its folder, while {what}",
        "a table by its catalog name",
        "name it by its catalog name: catalog.schema.table",
    ),
    _StorageFailure(
        _EXPIRED,
        TemporaryError,
        "the store no longer takes the credentials while {what}: {line}",
        "credentials that are valid for as long as the run",
        "renew them, and run it again: it continues from what was kept",
    ),
    _StorageFailure(
        _NO_BUCKET,
        ConfigError,
        "the bucket is not there while {what}: {line}",
        "a bucket or container that exists",
        "correct its name (source.table, output.table, home), or create it",
    ),
    _StorageFailure(
        _DENIED,
        AccessDenied,
        "no access while {what}: {line}",
        "permission to read and write there",
        "check the path, and the role or the keys that the job runs with",
    ),
)
"""In this order: a message may look like several."""
_SILENCES = (
    _StorageFailure(
        _UNREACHABLE,
        TemporaryError,
        "no answer while {what}: {line}",
        "a store and a catalog that answer",
        "see whether it is up and can be reached from here, then run it again",
    ),
)


def find_refusal_error(text: str, what: str) -> SparkscoreError | None:
    """The error for a message of a store that refuses `what` to whoever asks; None for another message.

    Runs on: driver | executor.
    """
    return _find_first(text, what, _REFUSALS)


def find_silence_error(text: str, what: str) -> SparkscoreError | None:
    """The error for a message about a store or catalog that does not answer, or not now; None for another message.

    Runs on: driver | executor.
    """
    return _find_first(text, what, _SILENCES)


def find_storage_error(text: str, what: str) -> SparkscoreError | None:
    """Either of both.

    Runs on: driver | executor.
    """
    return _find_first(text, what, (*_REFUSALS, *_SILENCES))


def _find_first(text: str, what: str, failures: Sequence[_StorageFailure]) -> SparkscoreError | None:
    for failure in failures:
        line = next((line for line in text.splitlines() if failure.pattern.search(line)), None)
        if line is not None:
            return failure.to_error(what, shorten_redacted(line.strip(), 200))
    return None
