"""The URIs by which a model is named: registered ones by alias or version, and logged ones that no registry names."""

import re
from dataclasses import dataclass

from sparkscore.errors import ConfigError

_REGISTERED = re.compile(r"models:/(?P<name>[^/@:]+)(?:@(?P<alias>[^/@:]+)|/(?P<version>[0-9]+))")
_LOGGED = re.compile(r"models:/(?P<model_id>m-[0-9A-Za-z]+)")
_ENDPOINT = re.compile(r"endpoint:/.+")
_OF_RUN = re.compile(r"runs:/(?P<run_id>[0-9A-Za-z_-]+)/(?P<path>[^?#]+)")


@dataclass(frozen=True, slots=True)
class ModelUri:
    """A registered model by alias or by version; exactly one of the two is given."""

    name: str
    alias: str | None
    version: str | None


@dataclass(frozen=True, slots=True)
class LoggedModelUri:
    """A model that was logged and that no registry names, by MLflow's id, or by its run and its path in there; or one
    behind an endpoint (`endpoint:/<model>`), which only the config describes."""

    uri: str
    model_id: str | None = None
    run_id: str | None = None
    path: str | None = None

    @property
    def name(self) -> str:
        """What stands for its name in pins and tables: the URI."""
        return self.uri


def parse_model_uri(uri: str) -> ModelUri | LoggedModelUri:
    """The parts of `models:/<name>@<alias>`, `models:/<name>/<version>`, `models:/m-<id>` or `runs:/<id>/<path>`.

    Raises:  ConfigError.
    """
    if registered := _REGISTERED.fullmatch(uri):
        return ModelUri(**registered.groupdict())
    if logged := _LOGGED.fullmatch(uri):
        return LoggedModelUri(uri, model_id=logged["model_id"])
    if _ENDPOINT.fullmatch(uri):
        return LoggedModelUri(uri)
    of_run = _OF_RUN.fullmatch(uri)
    if of_run and not {"", ".", ".."} & set(of_run["path"].split("/")):
        return LoggedModelUri(uri, run_id=of_run["run_id"], path=of_run["path"])
    raise ConfigError(
        f"the model URI {uri!r} has no alias or version",
        "models:/<name>@<alias> or models:/<name>/<version>, the version a number; or a logged model, models:/m-<id> or"
        " runs:/<run id>/<path>",
        "register the model and name an alias or a version; stages, latest and paths cannot be pinned",
    )


def pinned_model_uri(name: str, version: str) -> str:
    """The URI that names a pinned model again. That of a logged model is its name."""
    return name if ":/" in name else f"models:/{name}/{version}"
