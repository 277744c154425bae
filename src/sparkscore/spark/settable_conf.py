"""Settings of a session that may refuse them: serverless compute lets one set six, and reads out few.

A refusal is an answer, not an error: what a setting would have done is done otherwise, is not needed, or its value is
right already (`session_settings.RIGHT_VALUES`).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.spark.lost_session import is_session_lost
from sparkscore.spark.session_settings import RIGHT_VALUES, is_right_value

_REFUSED: WeakKeyDictionary[SparkSession, set[str]] = WeakKeyDictionary()
"""What a session has refused, and those that were made from it: nobody asks again."""


def try_settings(spark: SparkSession, changes: Mapping[str, str | None]) -> list[str]:
    """Set the session's settings, unset those that are None; the names of those that it refuses, which it remembers.

    Raises:  what a session raises that is gone.
    """
    known = _REFUSED.setdefault(spark, set())
    refused = [name for name, value in changes.items() if name in known or not _try_setting(spark, name, value)]
    known.update(refused)
    return refused


def _try_setting(spark: SparkSession, name: str, value: str | None) -> bool:
    try:
        if value is None:
            spark.conf.unset(name)
        else:
            spark.conf.set(name, value)
    except PySparkException as error:
        if is_session_lost(error):
            raise
        import structlog  # here: tasks unpickle what imports this module, and executors need not have it

        reason = shorten_redacted(str(error), 200)
        structlog.get_logger("sparkscore").debug("setting refused", name=name, reason=reason)
        return False
    return True


def change_settings(spark: SparkSession, changes: Mapping[str, str | None], *, found: Mapping[str, str]) -> None:
    """Set and unset as far as the session lets one.

    Needs:   `found`, the settings that the session has.
    Raises:  ConfigError where one that cannot be changed has a value that would change rows.
    """
    for name in try_settings(spark, changes):
        value = found.get(name) or read_setting(spark, name)
        if value != changes[name] and not is_right_value(name, value):
            raise ConfigError(
                f"the session has {name}={value or '(unknown)'}, and lets nobody change it",
                " or ".join(sorted(RIGHT_VALUES[name])) or "no value",
                "change it where the session is made, or use compute that lets its sessions set it",
            )


def share_refusals(spark: SparkSession, other: SparkSession) -> None:
    """What one of the sessions has refused, or will refuse, the other refuses, too: they are of the same Spark."""
    _REFUSED[other] = _REFUSED.setdefault(spark, set())


def is_any_refused(spark: SparkSession, names: Iterable[str]) -> bool:
    """Whether the session is known to refuse one of these settings."""
    return not _REFUSED.get(spark, set()).isdisjoint(names)


def read_setting(spark: SparkSession, name: str) -> str | None:
    """The value of a setting, or its default; None where it has none, or where nobody may read it."""
    try:
        value = spark.conf.get(name)
    except PySparkException as error:
        if is_session_lost(error):
            raise
        return None
    return None if value is None else str(value)


def has_setting(spark: SparkSession, name: str) -> bool:
    """Whether somebody has given a setting a value; False where nobody may read it.

    An error of the JVM takes a hundred calls to it: `read_setting` is for settings that have a default.
    """
    try:
        return spark.conf.get(name, None) is not None
    except PySparkException as error:
        if is_session_lost(error):
            raise
        return False


def list_settings(spark: SparkSession) -> dict[str, str]:
    """The settings that the session shows; none where it shows nobody any."""
    try:
        return dict(spark.conf.getAll)
    except PySparkException as error:
        if is_session_lost(error):
            raise
        return {}


@contextmanager
def override_setting(spark: SparkSession, name: str, value: str) -> Iterator[bool]:
    """A block with another value of one setting of the session, which is reset afterwards: whether it has it.

    False where the session refuses it: the block has to do without.
    """
    before = read_setting(spark, name)
    if before is None or try_settings(spark, {name: value}):
        yield False
        return
    try:
        yield True
    finally:
        spark.conf.set(name, before)
