"""Asks an endpoint which models it serves, before a row is read. Runs on the driver."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sparkscore.errors import EndpointUnavailable, ModelNotFound
from sparkscore.workloads.endpoints.circuit_breaker import unavailable_error
from sparkscore.workloads.endpoints.endpoint_spec import EndpointAccess
from sparkscore.workloads.endpoints.http_posting import HttpAnswer, key_headers
from sparkscore.workloads.endpoints.refused_requests import judge_response

_TRIES = 3
_WAIT_S = 1.0
_NO_LIST = (404, 405, 501)
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as its endpoint describes it."""

    version: str
    """What tells it from another one of the same name: what it was made of (`root`), where the endpoint says it."""
    is_listed: bool
    """Whether the endpoint has a list of its models."""


def find_served_model(
    access: EndpointAccess, model: str, *, sleep: Callable[[float], None] = time.sleep
) -> ServedModel:
    """The model of that name. Nothing is paid for it.

    Raises:  AccessDenied for the key, ModelNotFound where it is not listed, ConfigError for a redirect,
             EndpointUnavailable after three tries.
    """
    answer = _ask_for_models(access, sleep)
    entries = _read_entries(answer)
    if entries is None:
        return ServedModel(model, is_listed=False)
    found = next((entry for entry in entries if entry.get("id") == model), None)
    if found is None:
        names = sorted(str(entry.get("id")) for entry in entries)
        shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        raise ModelNotFound(
            f"the endpoint does not serve the model {model}", f"one of {shown or 'none'}", "correct llm.model"
        )
    root = found.get("root")
    return ServedModel(root if isinstance(root, str) and root else model, is_listed=True)


def _ask_for_models(access: EndpointAccess, sleep: Callable[[float], None]) -> HttpAnswer:
    tries = 0
    while True:
        tries += 1
        try:
            answer = _get_models(access)
            refusal = None if answer.status in _NO_LIST else judge_response(answer)
            if refusal is None or refusal.row is not None:
                return answer
            if refusal.error is not None:
                raise refusal.error
            raise unavailable_error(refusal.reason)
        except EndpointUnavailable:
            if tries == _TRIES:
                raise
        sleep(_WAIT_S * tries)


def _get_models(access: EndpointAccess) -> HttpAnswer:
    import requests

    timeouts = (access.connect_timeout, min(access.read_timeout, access.timeout))
    try:
        response = requests.get(
            f"{access.url.rstrip('/')}/models",
            headers=dict(key_headers(access)),
            timeout=timeouts,
            allow_redirects=False,
        )
    except requests.RequestException as failed:
        raise unavailable_error(f"{type(failed).__name__} on the list of its models") from None
    return HttpAnswer(response.status_code, response.content, response.headers.get("Retry-After"))


def _read_entries(answer: HttpAnswer) -> list[Mapping[str, Any]] | None:
    if answer.status >= 300:
        return None
    try:
        body = json.loads(answer.content)
    except ValueError:
        return None
    data = body.get("data") if isinstance(body, Mapping) else None
    return [entry for entry in data if isinstance(entry, Mapping)] if isinstance(data, list) else None
