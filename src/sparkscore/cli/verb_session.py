"""Gives a verb its session; first, where it may do without, none."""

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from sparkscore.errors import SparkNeeded

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Answer = TypeVar("Answer")


def answer_with_session(
    app_name: str,
    answer: "Callable[[SparkSession | None], Answer]",
    *,
    start: "Callable[[str], SparkSession] | None" = None,
    is_sure_to_need_it: bool = False,
) -> Answer:
    """What a verb answers: without a session where the logs of its tables tell all of it, else with one.

    Starting Spark takes seconds, and takes memory from whoever runs on the machine.

    Needs:   an `answer` that raises SparkNeeded, before it writes or sends anything, where it cannot do without;
             `start`, what starts the session: `get_job_session` if None.
    """
    from sparkscore.spark.session import can_begin_without_session, get_job_session

    if not is_sure_to_need_it and can_begin_without_session():
        try:
            return answer(None)
        except SparkNeeded:
            pass
    return answer((start or get_job_session)(app_name))


def start_session_and_mlflow(app_name: str) -> "SparkSession":
    """The session of a job that scores; MLflow is imported meanwhile."""
    from sparkscore.spark.session import get_job_session

    imports = _import_mlflow_in_thread()
    spark = get_job_session(app_name)
    imports.join()
    return spark


def _import_mlflow_in_thread() -> Thread:
    """Import what the run needs anyway while Spark starts in its JVM: MLflow takes 2 s.

    The caller waits for it: a module that two threads import at once may be incomplete for one of them.
    """

    def imports() -> None:
        from sparkscore.gate.gx.gx_output import suppress_gx_output

        with suppress(ImportError), suppress_gx_output():  # whoever needs it imports it again, and tells what is wrong
            import_module("mlflow.store.db.utils")

    thread = Thread(target=imports, daemon=True)
    thread.start()
    return thread
