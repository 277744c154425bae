"""Sessions for one purpose. Delta's guards are session settings: if they stayed, Delta would drop the next write.

Everything that writes to a Delta table uses a session that is created here. It has the caller's settings that say
how to reach storage and how fast to work, and none that changes what is written (`spark.session_settings`).
"""

from collections.abc import Mapping
from uuid import uuid4

from pyspark.sql import SparkSession

from sparkscore.redaction.known_secrets import register_named_secrets
from sparkscore.redaction.secret_patterns import mask_secrets
from sparkscore.spark.package_shipping import ship_package
from sparkscore.spark.reused_sessions import CallerState, find_reusable_session, keep_for_reuse
from sparkscore.spark.session_kind import is_connect_session, open_new_session
from sparkscore.spark.session_settings import FIXED, settings_to_change
from sparkscore.spark.settable_conf import (
    change_settings,
    is_any_refused,
    list_settings,
    share_refusals,
    try_settings,
)

RUN_CONF: Mapping[str, str] = {
    **FIXED,
    "spark.sql.execution.pythonUDF.pandas.preferIntExtensionDtype": "true",
}
"""What a run needs of its session."""

BATCH_ROWS_CONF = "spark.sql.execution.arrow.maxRecordsPerBatch"
"""Rows of the batches that Spark passes to Python."""
BATCH_BYTES_CONF = "spark.sql.execution.arrow.maxBytesPerBatch"
"""Bytes of them."""
_USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


def create_run_session(
    spark: SparkSession, *, batch_rows: int | None = None, batch_bytes: int | None = None
) -> SparkSession:
    """A session of the run's own: the caller's settings that it may take, and `RUN_CONF`.

    The caller's session stays as it is. Over Connect it may be the one of an earlier run in this thread: that is as a
    new one would be, and its Python workers still have the model.
    """
    limits = {BATCH_ROWS_CONF: batch_rows, BATCH_BYTES_CONF: batch_bytes}
    batches = {name: str(limit) for name, limit in limits.items() if limit is not None}
    conf = {**RUN_CONF, **batches}
    if not is_connect_session(spark):
        return create_isolated_session(spark, conf)
    caller = CallerState.of(spark)
    session = find_reusable_session(spark, caller, conf)
    if session is None:
        session = create_isolated_session(spark, conf, with_files=True)
        ship_package(session)
        keep_for_reuse(spark, session, caller=caller, wanted=conf)
    return session


def create_session_if_any(spark: SparkSession | None) -> SparkSession | None:
    """A session of the run's own, or none where the caller has none."""
    return None if spark is None else create_run_session(spark)


def create_isolated_session(spark: SparkSession, conf: Mapping[str, str], *, with_files: bool = False) -> SparkSession:
    """A new session on the same SparkContext: settings of this one that change no write, and some of its own.

    It has no temporary views. Settings that change writes are Spark's defaults, wherever they were set. Where the
    session refuses a setting (static ones, and most of them on serverless compute), it stays as it is.

    Raises:  ConfigError where one that cannot be set has a value that would change rows.
    """
    session, theirs = open_new_session(spark, with_files=with_files), load_session_settings(spark)
    share_refusals(spark, session)
    register_named_secrets(theirs)
    found = load_session_settings(session)
    change_settings(session, {**settings_to_change(theirs, found), **conf}, found=found)
    return session


def load_session_settings(spark: SparkSession) -> dict[str, str]:
    """All settings of a session, in five calls to the JVM: `conf.getAll` takes four for each of them; Connect one.

    None of them where a server does not list them.
    """
    if is_connect_session(spark):
        return list_settings(spark)
    found, separator = spark._jsparkSession.conf().getAll(), uuid4().hex  # noqa: SLF001  Scala's map as it is
    names, values = found.keys().mkString(separator), found.values().mkString(separator)
    return dict(zip(names.split(separator), values.split(separator), strict=True)) if names else {}


def create_noted_session(spark: SparkSession, note: str) -> SparkSession:
    """A session whose commits carry the note as their `userMetadata`; without one where nobody may set it."""
    session = create_isolated_session(spark, {})
    try_settings(session, {_USER_METADATA: mask_secrets(note)})
    return session


def create_guarded_session(spark: SparkSession, *, app_id: str, version: int, note: str) -> SparkSession | None:
    """A session for exactly one commit: Delta skips it when (app_id, version or a later one) is committed already.

    The note becomes the commit's `userMetadata`. None where the session lets nobody set these: the writer's options
    are another guard with the same guarantee.
    """
    guard = {
        "spark.databricks.delta.write.txnAppId": app_id,
        "spark.databricks.delta.write.txnVersion": str(version),
        _USER_METADATA: mask_secrets(note),
    }
    if is_any_refused(spark, guard):
        return None
    # one file per task, not one task per partition: 1.2 x a plain append instead of 1.9 (4 M rows, 2 cores)
    session = create_isolated_session(spark, {"spark.databricks.delta.merge.repartitionBeforeWrite.enabled": "false"})
    return None if try_settings(session, guard) else session
