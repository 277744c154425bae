"""Settings of which models may be loaded."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from sparkscore.errors import ConfigError
from sparkscore.records import Reaction, TrustPolicy
from sparkscore.settings.frozen_settings import FrozenSettings
from sparkscore.settings.setting_origins import SettingOrigins
from sparkscore.settings.settings_errors import to_config_error

ModelFormat = Literal[
    "archive",
    "catboost",
    "code",
    "hdf5",
    "json",
    "keras",
    "lightgbm",
    "numpy",
    "onnx",
    "pickle",
    "safetensors",
    "skops",
    "tensorflow",
    "text",
    "torch",
    "unknown",
    "xgboost",
]
"""What a file of a model can be, by its content (`model/trust/file_formats.py`)."""

STRICT_FORMATS: tuple[ModelFormat, ...] = (
    "catboost", "json", "lightgbm", "numpy", "onnx", "safetensors", "skops", "text", "xgboost",
)  # fmt: skip
"""Formats that hold data alone."""
STRICT_LOADERS = (
    "mlflow.catboost",
    "mlflow.lightgbm",
    "mlflow.onnx",
    "mlflow.prophet",
    "mlflow.sklearn",
    "mlflow.xgboost",
)
"""Loaders of MLflow that can load a model from data alone."""


class TrustSettings(FrozenSettings):
    """Which models may be loaded; decided from their files before anything of them is imported."""

    profile: Literal["default", "strict"] = Field(
        default="default",
        description="default warns of models that can run code of their author's; strict loads data alone, and only"
        " from registries and under names that are listed; the other settings of the group override it",
    )
    registries: tuple[str, ...] | None = Field(
        default=None, description="patterns of MLflow tracking and registry URIs; strict: none unless listed"
    )
    names: tuple[str, ...] | None = Field(
        default=None, description="patterns of names of registered models; strict: none unless listed"
    )
    digest: tuple[str, ...] | None = Field(
        default=None, description="digests that the model's files may have, as results and run events show them"
    )
    loaders: tuple[str, ...] | None = Field(
        default=None,
        description="modules that may load a model, and that it may have its files read by; default: those of MLflow;"
        " strict: those of them that load data alone",
    )
    formats: tuple[ModelFormat, ...] | None = Field(
        default=None, description="formats of the model's files; default: any; strict: those that hold data alone"
    )
    tables: tuple[str, ...] | None = Field(
        default=None,
        description="patterns of tables that the model's author may name as training data for drift.baseline: model;"
        " default: any, with a warning; strict: none unless listed",
    )
    code: Reaction | None = Field(
        default=None, description="a model that brings code; by default warn, in the profile strict refuse"
    )
    pickle: Reaction | None = Field(
        default=None,
        description="a model whose loading unpickles, or builds types that it names; by default warn, in the profile"
        " strict refuse",
    )
    downloads: Reaction | None = Field(
        default=None,
        description="a model that fetches parts of itself when it is loaded; by default warn, in the profile strict"
        " refuse",
    )

    def to_policy(self, *, requirements: Literal["ignore", "warn", "refuse"] = "warn") -> TrustPolicy:
        """What the settings allow."""
        given: dict[str, Any] = {name: value for name, value in self if value is not None and name != "profile"}
        given = {"digests" if name == "digest" else name: value for name, value in given.items()}
        return TrustPolicy(**{**self._profile_values(), **given, "requirements": requirements})

    def _profile_values(self) -> dict[str, Any]:
        """What the profile says where a setting says nothing.

        A listed digest names a model more closely than its origin. Where more than data is allowed, loaders and
        formats no longer follow from the profile.
        """
        if self.profile == "default":
            return {}
        listed: tuple[str, ...] | None = None if self.digest else ()
        reactions = {name: getattr(self, name) or "refuse" for name in ("code", "pickle", "downloads")}
        is_data_alone = set(reactions.values()) == {"refuse"}
        lists = {"loaders": STRICT_LOADERS, "formats": STRICT_FORMATS} if is_data_alone else {}
        return {"registries": listed, "names": listed, "tables": (), **lists, **reactions}


def parse_trust_policy(settings: Mapping[str, Any]) -> TrustPolicy:
    """What the settings of the group `model.trust` allow.

    Raises:  ConfigError.
    """
    try:
        return TrustSettings(**settings).to_policy()
    except ValidationError as error:
        raise to_config_error(TrustSettings, error, SettingOrigins(("trust",), (), (), {})) from error
    except TypeError as error:
        raise ConfigError(
            f"trust cannot be read: {error}",
            f"settings of model.trust: {', '.join(TrustSettings.model_fields)}",
            'for example trust={"profile": "strict", "names": ["flights"]}',
        ) from error
