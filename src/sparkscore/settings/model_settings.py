"""Settings of the model: which one scores, and how it is run."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from sparkscore.records import AcceleratorOptions, ProviderName, TrustPolicy
from sparkscore.redaction.known_secrets import register_uri_secrets
from sparkscore.settings.accelerator_settings import TorchSettings
from sparkscore.settings.frozen_settings import FrozenSettings
from sparkscore.settings.input_expressions import InputSource
from sparkscore.settings.model_groups import GroupTableSettings, find_group_problem
from sparkscore.settings.nested_values import NestedValue, ParamValue
from sparkscore.settings.signature_settings import SignatureSettings
from sparkscore.settings.trust_settings import TrustSettings


class ModelSettings(FrozenSettings):
    """Which model scores, and how it is run."""

    uri: str = Field(
        description="models:/<name>@<alias> or models:/<name>/<version>; in Vertex AI vertex://projects/<project>/"
        "locations/<location>/models/<id>@<alias or version>; with a warning models:/m-<id> or"
        " runs:/<run id>/<path>; with model.by a template: models:/forecast-{store}@champion"
    )
    by: tuple[str, ...] = Field(
        default=(),
        description="columns of the source whose values make a group; each group has a model of its own, which"
        " model.uri names: models:/forecast-{store}@champion",
    )
    groups: GroupTableSettings | None = Field(
        default=None,
        description="a table that maps groups to models; model.uri may name its columns: models:/{model}/{version}",
    )
    cache_models: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="with model.by, models that a Python worker keeps loaded at once, at most; default: 100; fewer"
        " where they do not fit a quarter of the memory",
    )
    tracking_uri: str | None = Field(
        default=None, description="MLflow server; default: MLFLOW_TRACKING_URI, else sqlite under the home folder"
    )
    inputs: dict[str, InputSource] = Field(
        default_factory=dict,
        description="maps model inputs to source columns, if names differ, or to expressions of them: {dep_hour: {part:"
        " hour, of: time_hour}}; operations: cast, coalesce, concat, add, subtract, multiply, divide, part, lookup",
    )
    casts: dict[str, Literal["integer", "long", "float", "double"]] = Field(
        default_factory=dict,
        description="casts of numbers that may lose digits: {model input: its type}; a row with a number beyond the"
        " type's range is rejected",
    )
    missing: dict[str, bool | int | float | str] = Field(
        default_factory=dict,
        description="what happens to NULL, NaN and infinities: {model input: pass, reject, or the value in their"
        " place}; default: pass",
    )
    params: dict[str, ParamValue] = Field(
        default_factory=dict,
        description="params of the model's signature, with lists where it has the shape (-1,), and mappings where its"
        " type is object",
    )
    config: dict[str, NestedValue] = Field(
        default_factory=dict,
        description="overrides settings that the model was logged with (MLflow's model_config), by their names",
    )
    files: str | None = Field(
        default=None,
        json_schema_extra={"path": True},
        description="the folder whose files the model may read, where its inputs are paths of files: a path or a URI;"
        " what lies outside of it is not read",
    )
    runtime: Literal["auto", "pyfunc", "sklearn", "onnx", "torch"] = Field(
        default="auto", description="the library that executes the model"
    )
    residency: Literal["worker", "executor"] = Field(
        default="worker",
        description="where the model stays loaded: in each Python worker, or in one process per executor",
    )
    requirements: Literal["ignore", "warn", "refuse"] = Field(
        default="warn",
        description="what is done where the executors have other packages than the model's requirements.txt names",
    )
    reuse: bool = Field(
        default=False,
        description="rows with equal inputs get one prediction: inputs are predicted once per run, and not again in"
        " later runs with the same model, params and inputs; for models whose calls are expensive",
    )
    reuse_days: int = Field(
        default=90,
        ge=1,
        le=365_000,
        description="with model.reuse, maintain removes kept predictions that no run has used for so many days",
    )
    providers: tuple[ProviderName, ...] = Field(
        default=(),
        description="onnxruntime's execution providers, in order of preference; the run ends with 4 where an executor"
        " lacks one; default: cuda where a task has a GPU, else cpu",
    )
    provider_fallback: bool = Field(
        default=False, description="the CPU in the place of execution providers that an executor lacks"
    )
    torch: TorchSettings = TorchSettings()
    signature: SignatureSettings = SignatureSettings()
    trust: TrustSettings = TrustSettings()

    @property
    def accelerator_options(self) -> AcceleratorOptions:
        """How the runtime uses the processor, or the accelerator that a task has."""
        return AcceleratorOptions(self.providers, self.provider_fallback, self.torch.autocast, self.torch.compile)

    @model_validator(mode="after")
    def _refuse_idle_provider_settings(self) -> Self:
        if self.provider_fallback and not self.providers:
            raise ValueError("provider_fallback without providers: it says what takes the place of missing ones")
        if len(set(self.providers)) < len(self.providers):
            raise ValueError("providers: one of them is named twice")
        return self

    @property
    def mapped_inputs(self) -> dict[str, str]:
        """The inputs that are mapped, each to the name of a column: of the source, or its own for an expression."""
        return {name: source if isinstance(source, str) else name for name, source in self.inputs.items()}

    @property
    def trust_policy(self) -> TrustPolicy:
        """Which models may be loaded."""
        return self.trust.to_policy(requirements=self.requirements)

    @model_validator(mode="after")
    def _check_groups(self) -> Self:
        problem = find_group_problem(self.uri, self.by, self.groups)
        if problem is None and not self.by and self.cache_models is not None:
            problem = "cache_models is for one model per group, and model.by is not set"
        if problem is None and self.by and self.residency == "executor":
            problem = "residency executor is for one model; with model.by each worker loads the models of its groups"
        if problem is None and self.by and self.reuse:
            problem = "reuse is for one model; with model.by the model follows from other columns than its inputs"
        if problem is not None:
            raise ValueError(problem)
        return self

    @field_validator("uri", "tracking_uri")
    @classmethod
    def _register_uri_secrets(cls, uri: str | None) -> str | None:
        register_uri_secrets(uri)
        return uri
