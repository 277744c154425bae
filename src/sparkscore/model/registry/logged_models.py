"""Models that were logged and that no registry names: where their files are. Runs on the driver."""

from collections.abc import Iterator
from typing import Any

from sparkscore.errors import ConfigError, ModelNotFound
from sparkscore.model.registry.mlflow_client import Registry, call_registry
from sparkscore.model.registry.model_registry import ModelEntry
from sparkscore.model.registry.model_uri import LoggedModelUri

UNREGISTERED_RUN_VERSION = "unregistered"
"""Stands for the version of a model that is only files of a run: MLflow before version 3 gave them no id."""


def find_logged_model(registry: Registry, uri: LoggedModelUri) -> ModelEntry:
    """The logged model that the URI names; its version is MLflow's id of it.

    Raises:  ModelNotFound where there is none, or one that was not logged to its end; AccessDenied,
             RegistryUnreachable.
    """
    if uri.model_id is None and uri.run_id is None:
        raise ConfigError(
            f"{uri.uri} is a model behind an endpoint, which has no files",
            "a verb that scores a job with a section llm, or a model of MLflow",
            "name a model of MLflow in model.uri, in a config without llm",
        )
    if uri.model_id is not None:
        model_id = uri.model_id
        found = call_registry(lambda: registry.client.get_logged_model(model_id), f"the logged model {model_id}")
        return _describe_logged_model(registry, found, uri)
    run = call_registry(lambda: registry.client.get_run(uri.run_id), f"the run {uri.run_id}").info
    models = call_registry(
        lambda: list(_search_models_of_run(registry, run.experiment_id, uri)), f"the models of the run {uri.run_id}"
    )
    if models:
        return _describe_logged_model(registry, max(models, key=lambda one: one.creation_timestamp), uri)
    return ModelEntry(uri.name, UNREGISTERED_RUN_VERSION, f"{run.artifact_uri}/{uri.path}", run.start_time)


def _search_models_of_run(registry: Registry, experiment_id: str, uri: LoggedModelUri) -> Iterator[Any]:
    """As MLflow itself finds them: not every server filters by the run."""
    token = None
    while True:
        page = registry.client.search_logged_models(
            experiment_ids=[experiment_id],
            filter_string=f"name = '{str(uri.path).replace(chr(39), '')}'",
            page_token=token,
        )
        yield from (one for one in page if one.source_run_id == uri.run_id)
        token = page.token
        if not token:
            return


def _describe_logged_model(registry: Registry, found: Any, uri: LoggedModelUri) -> ModelEntry:
    if str(getattr(found.status, "value", found.status)) != "READY":
        raise ModelNotFound(
            f"the logged model {found.model_id} is {getattr(found.status, 'value', found.status)}",
            "READY",
            "log it again, or name another one",
        )
    # Databricks lends credentials for the files, which only MLflow's own way for models:/ asks for
    is_lent = str(registry.client.tracking_uri).startswith("databricks")
    location = f"models:/{found.model_id}" if is_lent else str(found.artifact_location)
    return ModelEntry(uri.name, str(found.model_id), location, int(found.creation_timestamp))


def unregistered_warning(uri: LoggedModelUri) -> str:
    """What to tell of a model that no registry names."""
    return (
        f"no registry names the model {uri.uri}: whoever reads its predictions finds no version of it, and nothing"
        " keeps its run from being deleted; register it, and name an alias or a version"
    )
