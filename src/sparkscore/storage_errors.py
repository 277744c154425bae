"""What stores and catalogs say when they refuse, in words of pyarrow, deltalake and Hadoop. Executors use it, too."""

import re
from collections.abc import Callable, Sequence

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
_CATALOGS_OWN = re.compile(r"PATH_BASED_ACCESS_TO_CATALOG_MANAGED_TABLE_BLOCKED")
_UNREACHABLE = re.compile(
    r"NETWORK_CONNECTION|could(n.t| not) (connect|resolve)|connection (refused|reset|closed|timed out)"
    r"|request timed? ?out|error sending request|SLOW_?DOWN|INTERNAL_FAILURE|ServiceUnavailable|SERVICE_UNAVAILABLE"
    r"|HTTP status 5\d\d|status 5\d\d|TTransportException|MetaStoreClient|SocketTimeoutException|ConnectException"
    r"|UnknownHostException|AWSServiceThrottledException|AWSStatus500Exception|AWSServiceIOException",
    re.IGNORECASE,
)


def find_refusal_error(text: str, what: str) -> SparkscoreError | None:
    """The error for a message of a store that refuses `what` to whoever asks; None for another message.

    Runs on: driver | executor.
    """
    kinds = ((_CATALOGS_OWN, _path_error), (_EXPIRED, _expired_error), (_NO_BUCKET, _bucket_error))
    return _find_first(text, what, (*kinds, (_DENIED, _denied_error)))


def find_silence_error(text: str, what: str) -> SparkscoreError | None:
    """The error for a message about a store or catalog that does not answer, or not now; None for another message.

    Runs on: driver | executor.
    """
    return _find_first(text, what, ((_UNREACHABLE, _silence_error),))


def find_storage_error(text: str, what: str) -> SparkscoreError | None:
    """Either of both.

    Runs on: driver | executor.
    """
    return find_refusal_error(text, what) or find_silence_error(text, what)


_MakeError = Callable[[str, str], SparkscoreError]


def _find_first(text: str, what: str, kinds: Sequence[tuple[re.Pattern[str], _MakeError]]) -> SparkscoreError | None:
    for pattern, make in kinds:
        line = next((line for line in text.splitlines() if pattern.search(line)), None)
        if line is not None:
            return make(what, shorten_redacted(line.strip(), 200))
    return None


def _expired_error(what: str, line: str) -> TemporaryError:
    return TemporaryError(
        f"the store no longer takes the credentials while {what}: {line}",
        "credentials that are valid for as long as the run",
        "renew them, and run it again: it continues from what was kept",
    )


def _bucket_error(what: str, line: str) -> ConfigError:
    return ConfigError(
        f"the bucket is not there while {what}: {line}",
        "a bucket or container that exists",
        "correct its name (source.table, output.table, home), or create it",
    )


def _path_error(what: str, _: str) -> ConfigError:
    return ConfigError(
        f"its catalog keeps the commits of the table, and nobody may read its folder, while {what}",
        "a table by its catalog name",
        "name it by its catalog name: catalog.schema.table",
    )


def _denied_error(what: str, line: str) -> AccessDenied:
    return AccessDenied(
        f"no access while {what}: {line}",
        "permission to read and write there",
        "check the path, and the role or the keys that the job runs with",
    )


def _silence_error(what: str, line: str) -> TemporaryError:
    return TemporaryError(
        f"no answer while {what}: {line}",
        "a store and a catalog that answer",
        "see whether it is up and can be reached from here, then run it again",
    )
