"""Settings of a language model behind an OpenAI-compatible endpoint, which scores in the place of `model.uri`."""

import re
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from sparkscore.records.answer_schemas import to_mlflow_type
from sparkscore.records.prompt_templates import PromptTemplate
from sparkscore.redaction.known_secrets import register_secret
from sparkscore.redaction.uri_credentials import has_uri_credentials
from sparkscore.settings.frozen_settings import FrozenSettings, list_changed_settings
from sparkscore.settings.nested_values import NestedValue
from sparkscore.settings.setting_secrets import require_safe_webhook

ENDPOINT_SCHEME = "endpoint:/"
"""What begins the `model.uri` of a job with a section llm."""
ANY_SERVED_MODEL = "any"
_WEB_ADDRESS = re.compile(r"https?://[^/\s]+.*", re.IGNORECASE)
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_OWN_PARAMETERS = (
    *("model", "messages", "prompt", "input", "stream", "n", "response_format"),
    *("max_tokens", "temperature", "seed"),
)


class LlmOutputSettings(FrozenSettings):
    """What an answer has to be."""

    type: Literal["text", "class", "json"] = Field(
        default="text", description="text as it comes, one of some classes, or JSON by a schema"
    )
    classes: tuple[str, ...] = Field(default=(), description="with type class: the classes of which an answer is one")
    json_schema: dict[str, NestedValue] = Field(
        default_factory=dict,
        description="with type json: the JSON schema that an answer meets, an object with properties",
    )

    response_format: Literal["json_schema", "json_object", "none"] | None = Field(
        default=None,
        description="with type json: how the endpoint is asked for it, as far as it can; each answer is checked, and"
        " asked for once more where it does not meet the schema; default: json_schema",
    )

    @field_validator("json_schema")
    @classmethod
    def _require_typed_schema(cls, schema: dict[str, Any]) -> dict[str, Any]:
        if schema:
            to_mlflow_type(schema)
            if schema.get("type") != "object":
                raise ValueError("json_schema is no object; expected type: object, with properties")
        return schema

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if self.response_format is not None and self.type != "json":
            raise ValueError("response_format has no effect without type: json")
        owners = {"classes": "class", "json_schema": "json"}
        for name, owner in owners.items():
            if getattr(self, name) and self.type != owner:
                raise ValueError(f"{name} has no effect without type: {owner}")
            if not getattr(self, name) and self.type == owner:
                raise ValueError(f"type {owner} needs {name}")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("classes: one of them is named twice")
        return self


class LlmPriceSettings(FrozenSettings):
    """What a million tokens cost, in any currency."""

    prompt: float = Field(default=0.0, ge=0, description="price of a million tokens of prompts, or of embedded texts")
    completion: float = Field(default=0.0, ge=0, description="price of a million tokens of answers")


class LlmSettings(FrozenSettings):
    """A language model behind an OpenAI-compatible endpoint (vLLM, gateways, hosted), in the place of model.uri."""

    base_url: str | None = Field(
        default=None, description="the endpoint's API, with its version: https://api.example.com/v1"
    )
    api_key: SecretStr | None = Field(
        default=None, description="key of the endpoint; a secret, so better in SPARKSCORE_LLM__API_KEY", repr=False
    )
    api_key_header: str | None = Field(
        default=None, description="header that holds the key; default: Authorization, as a bearer token"
    )
    model: str | None = Field(default=None, description="model, as the endpoint names it")
    served_model: str | None = Field(
        default=None,
        description="name by which answers name the model, where it differs: a dated version; another one stops the"
        " run (exit 4); any: not checked; default: as llm.model",
    )
    route: Literal["chat", "completion", "embedding"] = Field(default="chat", description="what is asked of the model")
    prompt: str | None = Field(
        default=None,
        description="template of the prompt, or of the text to embed: {column} is the row's value, {{ and }} are"
        " braces; braces in the data stay as they are",
    )
    system: str | None = Field(default=None, description="template of the system message; default: none")
    null_text: str | None = Field(
        default=None, description="text in the place of NULL in a template; default: a row with NULL is rejected"
    )
    output: LlmOutputSettings = LlmOutputSettings()
    price: LlmPriceSettings = LlmPriceSettings()
    max_tokens: int | None = Field(
        default=None, ge=1, le=1_000_000, description="tokens of an answer, at most; default: as the endpoint has it"
    )
    cut_answers: Literal["reject", "keep"] = Field(
        default="reject", description="what happens to an answer that was cut off at llm.max_tokens"
    )
    temperature: float | None = Field(
        default=0.0, ge=0, le=2, description="randomness of answers; null: not sent, for models that refuse it"
    )
    seed: int | None = Field(default=0, description="seed of the random choices; null: not sent")
    parameters: dict[str, NestedValue] = Field(
        default_factory=dict, description="further parameters of each request: {top_p: 0.9, stop: [END]}"
    )
    texts_per_request: int | None = Field(
        default=None, ge=1, le=2048, description="with route embedding: texts in one request, at most; default: 32"
    )
    concurrency: int = Field(
        default=32, ge=1, le=100_000, description="requests of the whole job that wait for an answer, at most"
    )
    executor_concurrency: int = Field(
        default=16, ge=1, le=10_000, description="requests of one executor that wait for an answer, at most"
    )
    requests_per_minute: float | None = Field(
        default=None, gt=0, description="requests that the whole job begins in a minute; default: no limit"
    )
    tokens_per_minute: float | None = Field(
        default=None, gt=0, description="tokens that the whole job takes in a minute; default: no limit"
    )
    connect_timeout: float = Field(default=10.0, gt=0, le=3600, description="seconds for a connection")
    read_timeout: float = Field(default=120.0, gt=0, le=86_400, description="seconds without a byte of a response")
    timeout: float = Field(default=300.0, gt=0, le=86_400, description="seconds of a request, from its beginning")
    retries: int = Field(default=8, ge=0, le=1000, description="tries of a request after the first one, at most")
    longest_wait: float = Field(
        default=60.0,
        gt=0,
        le=86_400,
        description="seconds between two tries, at most; an endpoint that asks for more stops the run (exit 75)",
    )
    breaker_failures: int = Field(
        default=10, ge=1, le=100_000, description="failures in a row after which the run stops (exit 75) …"
    )
    breaker_seconds: float = Field(
        default=30.0, ge=0, le=86_400, description="… where they have lasted for so many seconds"
    )

    @property
    def is_used(self) -> bool:
        """Whether the job asks an endpoint."""
        return self.base_url is not None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the templates name."""
        templates = [one for one in (self.prompt, self.system) if one is not None]
        return tuple(dict.fromkeys(name for one in templates for name in PromptTemplate.parse(one).columns))

    @property
    def request_parameters(self) -> dict[str, Any]:
        """What each request holds beside the model and the prompt."""
        sampling = {} if self.route == "embedding" else {"temperature": self.temperature, "seed": self.seed}
        return {**{name: value for name, value in sampling.items() if value is not None}, **self.parameters}

    @field_validator("base_url")
    @classmethod
    def _require_web_address(cls, url: str | None) -> str | None:
        if url is not None and (not _WEB_ADDRESS.fullmatch(url) or has_uri_credentials(url)):
            raise ValueError(
                "expected a URL that begins with https:// or http:// and holds no credentials; what was found is not"
                " shown; a key goes into llm.api_key"
            )
        return url

    @field_validator("api_key_header")
    @classmethod
    def _require_header_name(cls, header: str | None) -> str | None:
        if header is not None and not _HEADER.fullmatch(header):
            raise ValueError("expected the name of an HTTP header: letters, digits and dashes")
        return header

    @field_validator("prompt", "system")
    @classmethod
    def _check_template(cls, template: str | None) -> str | None:
        if template is not None:
            PromptTemplate.parse(template)
        return template

    @field_validator("parameters")
    @classmethod
    def _refuse_own_parameters(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        own = [name for name in parameters if name in _OWN_PARAMETERS]
        if own:
            raise ValueError(f"{', '.join(own)}: set by the job itself; see the other settings of llm")
        return parameters

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if self.base_url is None:
            given = sorted(list_changed_settings(self))
            if given:
                raise ValueError(f"{', '.join(given)} has no effect without base_url")
            return self
        missing = [name for name in ("model", "prompt") if getattr(self, name) is None]
        if missing:
            raise ValueError(f"base_url needs {' and '.join(missing)}")
        if not PromptTemplate.parse(self.prompt or "").columns:
            raise ValueError("prompt names no column: every row would be asked the same; write {column}")
        self._check_route()
        if self.api_key is not None:
            register_secret(self.api_key.get_secret_value())
            require_safe_webhook(self.base_url, what="api_key")
        elif self.api_key_header is not None:
            raise ValueError("api_key_header has no effect without api_key")
        return self

    def _check_route(self) -> None:
        generating = ("system", "max_tokens", "output", "cut_answers", "temperature", "seed")
        idle = [name for name in generating if name in list_changed_settings(self)]
        if self.route == "embedding" and idle:
            raise ValueError(f"{', '.join(idle)} has no effect with route embedding")
        if self.route != "embedding" and self.texts_per_request is not None:
            raise ValueError("texts_per_request has no effect without route embedding")
