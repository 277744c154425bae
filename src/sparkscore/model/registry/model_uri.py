"""The URIs by which a model is named: registered ones by alias or version, and logged ones that no registry names."""

import re
from dataclasses import dataclass

from sparkscore.errors import ConfigError

_REGISTERED = re.compile(
    r"models:/(?P<name>[^/@:\x00-\x1f\x7f]+)(?:@(?P<alias>[^/@:\x00-\x1f\x7f]+)|/(?P<version>[0-9]{1,18}))"
)
_VERTEX = re.compile(
    r"(?P<name>vertex://projects/[a-z0-9][a-z0-9.:-]*/locations/[a-z0-9-]+/models/[A-Za-z0-9_-]+)"
    r"@(?:(?P<version>[0-9]{1,18})|(?P<alias>[a-z][A-Za-z0-9-]*))"
)
"""Vertex AI's own name of a model's version, after a scheme. An alias begins with a letter, a version is a number."""
VERTEX_SCHEME = "vertex://"
_LOGGED = re.compile(r"models:/(?P<model_id>m-[0-9A-Za-z]+)")
_ENDPOINT = re.compile(r"endpoint:/.+")
_OF_RUN = re.compile(r"runs:/(?P<run_id>[0-9A-Za-z_-]+)/(?P<path>[^?#]+)")


@dataclass(frozen=True, slots=True)
class ModelUri:
    """A registered model by alias or by version; exactly one of the two is given."""

    name: str
    alias: str | None
    version: str | None

    @property
    def is_vertex(self) -> bool:
        """Whether Vertex AI has it, and not MLflow: its name is its URI without alias or version."""
        return self.name.startswith(VERTEX_SCHEME)


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
    """The parts of `models:/<name>@<alias>`, `models:/<name>/<version>`, `models:/m-<id>`, `runs:/<id>/<path>` or
    `vertex://projects/<project>/locations/<location>/models/<id>@<alias or version>`.

    Raises:  ConfigError.
    """
    if registered := _REGISTERED.fullmatch(uri):
        return ModelUri(**registered.groupdict())
    if vertex := _VERTEX.fullmatch(uri):
        return ModelUri(**vertex.groupdict())
    if uri.startswith(VERTEX_SCHEME):
        raise ConfigError(
            f"the model URI {uri!r} names no version of a model in Vertex AI",
            "vertex://projects/<project>/locations/<location>/models/<id>@<alias>, or @<version>, a number",
            "take the model's resource name from Vertex AI, and name an alias or a version after an @",
        )
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
    if name.startswith(VERTEX_SCHEME):
        return f"{name}@{version}"
    return name if ":/" in name else f"models:/{name}/{version}"


def require_mlflow_model(uri: ModelUri | LoggedModelUri, what: str, do: str) -> None:
    """Refuse what is written to MLflow's registry alone. `do`: what to do where another one has the model.

    Raises:  ConfigError.
    """
    if isinstance(uri, ModelUri) and uri.is_vertex:
        raise ConfigError(
            f"{what}, and Vertex AI has {uri.name}", "a model in MLflow's registry: models:/<name>@<alias>", do
        )
