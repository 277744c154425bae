"""What is asked of an endpoint, and how it is reached. Light: executors import it.

What changes an answer is in the model's files, and so in its digest. Where the endpoint is, its key, and how fast it
may be asked are not: they travel in one variable of the environment.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Route = Literal["chat", "completion", "embedding"]
AnswerKind = Literal["text", "class", "json"]

ACCESS_VARIABLE = "SPARKSCORE_ENDPOINT_ACCESS"
"""The variable of the environment that holds an `EndpointAccess`, as JSON."""


@dataclass(frozen=True, slots=True)
class AnswerSpec:
    """What an answer has to be."""

    kind: AnswerKind = "text"
    classes: tuple[str, ...] = ()
    """The classes of which the answer is one, where it is a class."""
    schema: str | None = None
    """The JSON schema that it meets, as JSON, where it is JSON."""
    request: str = "none"
    """How the endpoint is asked for JSON: json_schema, json_object; none: by the prompt alone."""


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """What is asked of an endpoint for each row, and what its answers have to be."""

    model: str
    """As requests name it."""
    served_names: tuple[str, ...]
    """The names by which answers may name it; another one is an error. Empty: any."""
    route: Route
    prompt: str
    """The template of the prompt, or of the text to embed."""
    system: str | None = None
    """The template of the system message; None: there is none."""
    null_text: str | None = None
    """What stands in the place of NULL; None: a row with NULL is rejected."""
    max_tokens: int | None = None
    keeps_cut_answers: bool = False
    """An answer that was cut off at `max_tokens` is one; else its row is rejected."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Further parameters of the request: temperature, seed, stop …"""
    answers: AnswerSpec = AnswerSpec()

    def to_json(self) -> str:
        """The same text for equal specs."""
        return json.dumps(asdict(self), sort_keys=True, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "EndpointSpec":
        """What `to_json` wrote."""
        parts = json.loads(text)
        answers = parts.pop("answers")
        return cls(
            **{**parts, "served_names": tuple(parts["served_names"])},
            answers=AnswerSpec(**{**answers, "classes": tuple(answers["classes"])}),
        )


@dataclass(frozen=True, slots=True)
class EndpointAccess:
    """How one process reaches an endpoint, and how fast it may ask. No part of what the model is."""

    url: str
    """Of the API, without the route: https://api.example.com/v1."""
    key: str | None = field(default=None, repr=False)
    key_header: str | None = None
    """The header that holds the key; None: `Authorization`, as a bearer token."""
    texts_per_request: int = 1
    """How many texts one request embeds; only of the route embedding."""
    prompt_price: float = 0.0
    """Of a million tokens, in any currency."""
    completion_price: float = 0.0
    concurrency: int = 8
    """Requests of one executor that wait for an answer at the same time, at most."""
    requests_per_minute: float | None = None
    """Of one executor; None: as many as come."""
    tokens_per_minute: float | None = None
    limit_name: str = "endpoint"
    """Of these limits, which the processes of one executor share."""
    journal: str | None = None
    """Of the answers of one run that are not committed yet; None: there is none."""
    connect_timeout: float = 10.0
    """Seconds."""
    read_timeout: float = 60.0
    """Seconds without a byte."""
    timeout: float = 300.0
    """Seconds of a request from its beginning to its end."""
    retries: int = 8
    """Of one request, at most."""
    longest_wait: float = 60.0
    """Seconds between two tries, at most; an endpoint that asks for a longer wait counts as unavailable."""
    breaker_failures: int = 10
    """So many failures in a row …"""
    breaker_seconds: float = 30.0
    """… over so many seconds: the endpoint is unavailable."""

    def cost_of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """The price of so many tokens."""
        return (prompt_tokens * self.prompt_price + completion_tokens * self.completion_price) / 1e6

    def to_json(self) -> str:
        """With the key: the text is a secret."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "EndpointAccess":
        """What `to_json` wrote."""
        return cls(**json.loads(text))
