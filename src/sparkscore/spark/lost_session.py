"""Whether an error says that Spark is no longer there: its JVM, its Connect server, or this client's session in it.

Knows the errors of both by their parts: neither grpc nor a JVM need be there.
"""

from collections.abc import Collection

from pyspark.errors import PySparkException

from sparkscore.errors import SessionLost

_OF_THE_JVM = "Py4JNetworkError"
"""What py4j raises where no JVM answers: by name, because a client of Connect has no py4j."""
_OF_GRPC = "RpcError"
_CONDITIONS = ("INVALID_HANDLE.SESSION_", "NO_ACTIVE_SESSION")
"""What a Connect server says of a session that it has closed, or that it has never had: it was started anew."""
_OTHER_SERVER = "Received incorrect server side session identifier"
"""What the client finds where a server that was started anew has made a session under the old name."""


def is_session_lost(error: BaseException) -> bool:
    """Whether the session is gone, and nothing that it is asked will be answered."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, SessionLost) or _OF_THE_JVM in kinds or _status_of(error, kinds) == "UNAVAILABLE":
        return True
    if not isinstance(error, PySparkException):
        return False
    condition = error.getCondition() or getattr(error, "_errorClass", None) or ""
    text = str(error)
    return condition.startswith(_CONDITIONS) or _OTHER_SERVER in text or any(f"[{one}" in text for one in _CONDITIONS)


def _status_of(error: BaseException, kinds: Collection[str]) -> str:
    """gRPC's status of an error, after all that PySpark's own policy has tried; empty where it is of no server."""
    read = getattr(error, "getGrpcStatusCode", getattr(error, "code", None) if _OF_GRPC in kinds else None)
    return str(getattr(read(), "name", "")) if callable(read) else ""


def session_lost_error(what: str) -> SessionLost:
    """The error for a session that was lost while doing `what`."""
    return SessionLost(
        f"Spark ended while {what}: its JVM or its server is gone, or was started anew",
        "a session that lasts as long as the run",
        "run the same command again, in a new process: it continues from what was kept",
    )
