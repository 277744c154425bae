"""The run of a scheduler that started this one, from what the scheduler says. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime

from sparkscore.records import ParentRun
from sparkscore.settings.lineage_settings import split_parent_id

PARENT_VARIABLE, ROOT_VARIABLE = "OPENLINEAGE_PARENT_ID", "OPENLINEAGE_ROOT_PARENT_ID"
_CONF = "spark.openlineage."
_AIRFLOW = "AIRFLOW_CTX_"
_NO_MAP_INDEX = -1


def find_parent_run(
    setting: str | None, environ: Mapping[str, str], read_conf: Callable[[str], str | None]
) -> ParentRun | None:
    """The parent by the setting, else by OPENLINEAGE_PARENT_ID, else by what Airflow adds to spark-submit's settings,
    else by the variables of an Airflow task. What cannot be read is no parent.

    Needs:   the extra lineage.
    """
    if setting is not None or PARENT_VARIABLE in environ:
        return _parse_parent(setting or environ[PARENT_VARIABLE], environ.get(ROOT_VARIABLE))
    by_conf = "/".join(read_conf(f"{_CONF}parent{part}") or "" for part in ("JobNamespace", "JobName", "RunId"))
    root = "/".join(read_conf(f"{_CONF}rootParent{part}") or "" for part in ("JobNamespace", "JobName", "RunId"))
    return _parse_parent(by_conf, root) or _airflow_task(environ)


def _parse_parent(text: str, root: str | None) -> ParentRun | None:
    try:
        return ParentRun(*split_parent_id(text), root=_parse_parent(root, None) if root else None)
    except ValueError:
        return None


def _airflow_task(environ: Mapping[str, str]) -> ParentRun | None:
    """The task whose variables these are, with the run id that Airflow's own events have.

    Source:  apache-airflow-providers-openlineage, `OpenLineageAdapter.build_task_instance_run_id`.
    """
    names = ("DAG_ID", "TASK_ID", "TRY_NUMBER")
    dag, task, attempt = (environ.get(_AIRFLOW + name, "") for name in names)
    at = environ.get(f"{_AIRFLOW}LOGICAL_DATE") or environ.get(f"{_AIRFLOW}EXECUTION_DATE") or ""
    namespace = environ.get("AIRFLOW__OPENLINEAGE__NAMESPACE") or environ.get("OPENLINEAGE_NAMESPACE") or "default"
    if not (dag and task and attempt and at):
        return None
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    from openlineage.client.uuid import generate_static_uuid

    data = f"{namespace}.{dag}.{task}.{attempt}.{_NO_MAP_INDEX}"
    return ParentRun(namespace, f"{dag}.{task}", str(generate_static_uuid(moment, data.encode())))
