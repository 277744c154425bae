"""Sessions of Spark Connect that a process uses for one run after the other.

Python workers of a server belong to a session: a new one begins with a new Python, its imports, and the model. Classic
sessions share the workers of their SparkContext.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from sparkscore.spark.session_settings import is_steering
from sparkscore.spark.settable_conf import list_settings, try_settings


@dataclass(frozen=True, slots=True)
class CallerState:
    """What a run's session takes from its caller's, as it is now."""

    settings: Mapping[str, str]
    """Those that reach a run's session."""
    files_sent: int
    """How many files the caller has sent to its session since this was asked first."""

    @classmethod
    def of(cls, spark: SparkSession) -> "CallerState":
        """That of the caller's session.

        Jobs:    none; a question to the server.
        """
        files_sent, found = _count_files_sent(spark), list_settings(spark)
        return cls({name: value for name, value in found.items() if not is_steering(name)}, files_sent)


@dataclass(frozen=True, slots=True)
class _UsedSession:
    """A session that was made for a run, and what it was made from."""

    session: SparkSession
    caller: CallerState
    own: Mapping[str, str]
    """The settings that it had when it was made."""


class _UsedByThread(threading.local):
    """A thread does one thing at a time: its sessions are free when it asks for one again."""

    def __init__(self) -> None:
        self._by_caller: WeakKeyDictionary[SparkSession, dict[frozenset[tuple[str, str]], _UsedSession]]
        self._by_caller = WeakKeyDictionary()

    def of(self, spark: SparkSession) -> dict[frozenset[tuple[str, str]], _UsedSession]:
        """Those of a caller's session, by what a run wanted."""
        return self._by_caller.setdefault(spark, {})


_USED = _UsedByThread()
_FILES_SENT: WeakKeyDictionary[SparkSession, list[int]] = WeakKeyDictionary()
"""How many files each caller has sent to its session since a run first asked."""


def find_reusable_session(spark: SparkSession, caller: CallerState, wanted: Mapping[str, str]) -> SparkSession | None:
    """The session of an earlier run of this thread; None where a new one would not be like it, or where it is gone.

    Neither the caller's settings nor its files may have changed since. Its own settings are what they were at first:
    Delta sets some in each session that reads a table.

    Jobs:    none; a question to the server, and one for each of its settings that has changed.
    """
    used = _USED.of(spark).get(frozenset(wanted.items()))
    if used is None or used.caller != caller:
        return None
    try:
        return used.session if _reset_settings(used) else None
    except PySparkException:  # a server closes sessions that are idle for long
        return None


def _reset_settings(used: _UsedSession) -> bool:
    """Whether the session has the settings again that it had when it was made."""
    found = list_settings(used.session)
    names = found.keys() | used.own.keys()
    return not try_settings(
        used.session, {name: used.own.get(name) for name in names if found.get(name) != used.own.get(name)}
    )


def keep_for_reuse(
    spark: SparkSession, session: SparkSession, *, caller: CallerState, wanted: Mapping[str, str]
) -> None:
    """Keep a new session for this thread's next run that wants the same.

    Not where the server lists no settings: nobody could see that they have changed.

    Needs:   the caller's state from before the session was made.
    Jobs:    none; a question to the server.
    """
    own = list_settings(session)
    if own and caller.settings:
        _USED.of(spark)[frozenset(wanted.items())] = _UsedSession(session, caller, own)


def _count_files_sent(spark: Any) -> int:
    """The client keeps no list of them, nor does the server."""
    if spark not in _FILES_SENT:
        _FILES_SENT[spark] = _observe_files(spark.client)
    return _FILES_SENT[spark][0]


def _observe_files(client: Any) -> list[int]:
    """A count that goes up with what is sent."""
    send, count = client.add_artifacts, [0]

    def add_artifacts(*paths: str, **kinds: bool) -> None:
        count[0] += 1
        send(*paths, **kinds)

    client.add_artifacts = add_artifacts
    return count
