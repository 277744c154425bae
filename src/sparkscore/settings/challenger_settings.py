"""Settings of challengers: models that score the rows of a run beside its champion."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, field_validator

from sparkscore.records import json_digest
from sparkscore.redaction.known_secrets import register_uri_secrets
from sparkscore.settings.frozen_settings import FrozenSettings
from sparkscore.settings.input_expressions import InputSource
from sparkscore.settings.model_settings import ModelSettings
from sparkscore.settings.nested_values import NestedValue, ParamValue

_OWN_SETTINGS = ("inputs", "casts", "missing", "params", "config", "runtime")
"""What a challenger has in the place of the champion's setting of this name, where it names it."""


class ChallengerSettings(FrozenSettings):
    """A challenger: a model that scores the same rows, for `<table>_challengers` alone."""

    uri: str = Field(description="the challenger, as in model.uri: models:/<name>@<alias> or models:/<name>/<version>")
    inputs: dict[str, InputSource] | None = Field(default=None, description="as model.inputs; default: the champion's")
    casts: dict[str, Literal["integer", "long", "float", "double"]] | None = Field(
        default=None, description="as model.casts; default: the champion's"
    )
    missing: dict[str, bool | int | float | str] | None = Field(
        default=None, description="as model.missing; default: the champion's"
    )
    params: dict[str, ParamValue] | None = Field(default=None, description="as model.params; default: the champion's")
    config: dict[str, NestedValue] | None = Field(default=None, description="as model.config; default: the champion's")
    runtime: Literal["auto", "pyfunc", "sklearn", "onnx", "torch"] | None = Field(
        default=None, description="as model.runtime; default: the champion's"
    )
    timeout: float = Field(
        default=300.0,
        gt=0,
        allow_inf_nan=False,
        description="seconds that it may add to a run, loads and hangs among them; what takes longer is given up",
    )
    budget: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="seconds that it may take for each second of the champion, once it has taken ten; default: any",
    )
    strict: bool = Field(
        default=False, description="the exit code is that of its failure; the champion stays published"
    )

    @field_validator("uri")
    @classmethod
    def _register_uri_secrets(cls, uri: str) -> str:
        register_uri_secrets(uri)
        return uri

    @property
    def key(self) -> str:
        """By which run events name it: its URI, and what it has in the place of the champion's settings."""
        return json_digest(self.model_dump(mode="json", exclude={"timeout", "budget", "strict"}))

    def replace_champion(self, champion: ModelSettings, *, uri: str | None = None) -> ModelSettings:
        """The champion's settings with what the challenger has of its own; `uri`: the version that it stands for."""
        own: dict[str, Any] = {name: getattr(self, name) for name in _OWN_SETTINGS}
        given = {name: value for name, value in own.items() if value is not None}
        alone = {
            "by": (),
            "groups": None,
            "cache_models": None,
            "reuse": False,
        }  # one model for all rows, each predicted by it
        return champion.model_copy(update={**alone, **given, "uri": uri or self.uri})


def find_repeated_challengers(challengers: Sequence[ChallengerSettings]) -> list[str]:
    """What is wrong with challengers together: each model is named once."""
    uris = [one.uri for one in challengers]
    repeated = sorted({uri for uri in uris if uris.count(uri) > 1})
    return [f"challengers name one model twice: {', '.join(repeated)}"] if repeated else []
