"""Reads the answers of an OpenAI-compatible endpoint, and refuses what does not answer the request. Pure.

Runs on executors. No message holds a text of the answer: it may quote the row.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkscore.errors import ServedModelChanged
from sparkscore.workloads.endpoints.endpoint_requests import CHARACTERS_PER_TOKEN, EndpointRequest
from sparkscore.workloads.endpoints.endpoint_spec import EndpointSpec


class InvalidResponse(Exception):
    """An answer that is none: not JSON, without choices, with too many. Its text says what, without values."""


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer for one row."""

    text: str | None
    """None of the route embedding."""
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    embedding: Sequence[float] | None = None
    latency_ms: float = 0.0
    """Of the try that answered."""


def parse_completions(spec: EndpointSpec, request: EndpointRequest, content: bytes) -> list[Completion]:
    """The answers of a response, in the order of the request.

    Raises:  InvalidResponse; ServedModelChanged where another model answered.
    """
    body = _parse_json(content)
    _require_served_model(spec, body.get("model"))
    if spec.route == "embedding":
        return _parse_embeddings(request, body)
    (choice,) = _order_by_index(body.get("choices"), request.answers, "choices")
    message = choice.get("message") if spec.route == "chat" else choice
    if not isinstance(message, Mapping):
        raise InvalidResponse("a choice without a message")
    text = message.get("content" if spec.route == "chat" else "text")
    refusal = message.get("refusal")
    if text is not None and not isinstance(text, str):
        raise InvalidResponse(f"a content that is no text, but {type(text).__name__}")
    reason = choice.get("finish_reason")
    usage = _read_usage(body)
    prompt_tokens = usage.get("prompt_tokens", 0)
    completion_tokens = usage.get("completion_tokens", -(-len(text or "") // CHARACTERS_PER_TOKEN))
    finish = "refusal" if refusal and text is None else str(reason or "stop")
    return [Completion(text or "", finish, prompt_tokens, completion_tokens)]


def _parse_embeddings(request: EndpointRequest, body: Mapping[str, Any]) -> list[Completion]:
    vectors = [one.get("embedding") for one in _order_by_index(body.get("data"), request.answers, "embeddings")]
    if not all(isinstance(vector, list) and vector for vector in vectors):
        raise InvalidResponse("an embedding that is no list of numbers")
    if len({len(vector) for vector in vectors}) > 1:  # type: ignore[arg-type]
        raise InvalidResponse("embeddings of different lengths")
    try:
        vectors = [[float(number) for number in vector] for vector in vectors]  # type: ignore[union-attr]
    except (TypeError, ValueError):
        raise InvalidResponse("an embedding that is no list of numbers") from None
    shares = share_tokens(_read_usage(body).get("prompt_tokens", 0), [len(text) for text in request.body["input"]])
    return [
        Completion(None, "stop", tokens, 0, embedding=vector) for tokens, vector in zip(shares, vectors, strict=True)
    ]


def share_tokens(tokens: int, lengths: Sequence[int]) -> list[int]:
    """The tokens of a request as those of its texts, by their lengths; they add up."""
    total, shares, done, given = sum(lengths) or 1, [], 0, 0
    for length in lengths:
        done += length
        share = tokens * done // total - given
        shares.append(share)
        given += share
    return shares


def _parse_json(content: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:  # also of what is no UTF-8
        raise InvalidResponse("a body that is no JSON") from None
    except RecursionError:
        raise InvalidResponse("a body that is nested too deeply") from None
    if not isinstance(body, Mapping):
        raise InvalidResponse(f"a body that is no object, but {type(body).__name__}")
    if "error" in body and not {"choices", "data"} & body.keys():
        raise InvalidResponse("an error with the status 200")
    return body


def _require_served_model(spec: EndpointSpec, name: object) -> None:
    if not spec.served_names or name in spec.served_names or not isinstance(name, str):
        return
    raise ServedModelChanged(
        f"the endpoint answers with the model {name!r:.200}",
        f"{' or '.join(spec.served_names)}, as llm.model and llm.served_model name it",
        f"set llm.served_model to {name!r:.200} if it is the right one",
    )


def _order_by_index(items: object, count: int, what: str) -> list[Mapping[str, Any]]:
    """The items by their `index`, which may come in any order; without one they come as they were asked for."""
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise InvalidResponse(f"no list of {what}")
    indexes = [item.get("index", place) for place, item in enumerate(items)]
    if sorted(indexes, key=str) != sorted(range(count), key=str):
        raise InvalidResponse(f"{len(items)} {what}, with other indexes than the {count} that were asked for")
    return [items[indexes.index(place)] for place in range(count)]


def _read_usage(body: Mapping[str, Any]) -> Mapping[str, int]:
    usage = body.get("usage")
    if not isinstance(usage, Mapping):
        return {}
    return {
        name: count
        for name, count in usage.items()
        if isinstance(count, int) and not isinstance(count, bool) and count >= 0
    }
