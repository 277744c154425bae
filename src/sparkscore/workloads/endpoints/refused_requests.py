"""What a status of an endpoint means: a try that may be repeated, a row at fault, a wrong config. Pure.

Of an error's body only codes and names of parameters are told: its message may quote the row. Runs on executors.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkscore.errors import AccessDenied, ConfigError, ModelNotFound, SparkscoreError
from sparkscore.records.scored_rows import RowReject
from sparkscore.workloads.endpoints.circuit_breaker import unavailable_error
from sparkscore.workloads.endpoints.http_posting import HttpAnswer

PROMPT_TOO_LONG = RowReject("prompt_too_long", "the prompt of this row is longer than the model's context")
CONTENT_FILTER = RowReject("content_filter", "the endpoint's content filter refused this row")
REQUEST_REFUSED = RowReject("request_refused", "the endpoint refused the request of this row")

_REPEATABLE = frozenset({408, 409, 425, 429})
_SERVER_ERROR = 500
_REDIRECT, _BAD_REQUEST = 300, 400
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_TOO_LONG = re.compile(
    r"context.{0,20}(length|window|size)|maximum context|too (long|many tokens)|exceed.{0,40}token", re.I
)
_FILTERED = re.compile(r"content.?(filter|management policy)|content_policy|responsible.?ai", re.I)
_NO_QUOTA = ("insufficient_quota", "billing_hard_limit_reached")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a response other than 200 means for its request."""

    reason: str
    """For messages: the status, and the codes of the body."""
    repeatable: bool = False
    row: RowReject | None = None
    """The row is at fault."""
    error: SparkscoreError | None = None
    """The run ends."""


def judge_response(answer: HttpAnswer) -> Refusal | None:
    """Why a response is no answer; None where it may be one."""
    status = answer.status
    if status < _REDIRECT:
        return None
    codes, message = _read_error(answer.content)
    reason = f"status {status}" + (f" ({', '.join(codes)})" if codes else "")
    error = _find_run_error(status, codes, reason)
    if error is not None:
        return Refusal(reason, error=error)
    if status in _REPEATABLE or status >= _SERVER_ERROR:
        return Refusal(reason, repeatable=True)
    return Refusal(reason, row=_find_row_fault(status, f"{' '.join(codes)} {message}"))


def _find_run_error(status: int, codes: tuple[str, ...], reason: str) -> SparkscoreError | None:
    """The error of a status that every other request would get, too."""
    if status in (401, 403):
        return _denied_error(reason)
    if status == 402 or any(code in _NO_QUOTA for code in codes):
        return unavailable_error(f"{reason}: the account has no quota left")
    if status < _BAD_REQUEST:
        return _redirect_error(reason)
    return _missing_error(reason) if status in (404, 405) else None


def _find_row_fault(status: int, told: str) -> RowReject:
    if _FILTERED.search(told):
        return CONTENT_FILTER
    return PROMPT_TOO_LONG if status == 413 or _TOO_LONG.search(told) else REQUEST_REFUSED


def every_request_error(reason: str, requests: int) -> ConfigError:
    """The error for an endpoint that refuses whatever it is asked."""
    return ConfigError(
        f"the endpoint refused the first {requests} requests, each with {reason}",
        "an endpoint that takes the parameters of section llm",
        "correct llm (route, max_tokens, parameters), or see the endpoint's log",
    )


def _denied_error(reason: str) -> AccessDenied:
    return AccessDenied(
        f"the endpoint refused the key: {reason}",
        "a key that may ask this model",
        "set llm.api_key, better in SPARKSCORE_LLM__API_KEY; what was answered is kept in chunks",
    )


def _redirect_error(reason: str) -> ConfigError:
    return ConfigError(
        f"the endpoint redirects: {reason}",
        "the address of the API itself: a redirect would hand on the key",
        "set llm.base_url to where it leads",
    )


def _missing_error(reason: str) -> ModelNotFound:
    return ModelNotFound(
        f"the endpoint knows no such route or model: {reason}",
        "llm.base_url with the version of the API (https://api.example.com/v1), and a model that it serves",
        "check llm.base_url, llm.model and llm.route",
    )


def _read_error(content: bytes) -> tuple[tuple[str, ...], str]:
    try:
        body: Any = json.loads(content)
    except (ValueError, RecursionError):
        return (), ""
    error = body.get("error", body) if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return (), str(error)[:1000] if isinstance(error, str) else ""
    codes = [error.get(name) for name in ("type", "code", "param")]
    inner = error.get("innererror")
    codes += [inner.get("code")] if isinstance(inner, Mapping) else []
    texts = [code for code in codes if isinstance(code, str) and _CODE.fullmatch(code)]
    return tuple(dict.fromkeys(texts)), str(error.get("message", ""))[:1000]
