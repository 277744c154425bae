"""Requests to an OpenAI-compatible endpoint, as its API has them. Pure. Runs on executors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkscore.workloads.endpoints.endpoint_spec import EndpointSpec
from sparkscore.workloads.endpoints.row_prompts import RowPrompt

CHARACTERS_PER_TOKEN = 4
"""By which tokens are estimated before an endpoint has counted them."""
_EXPECTED_TOKENS = 256
"""Of an answer, where no limit is set."""
PATHS = {"chat": "chat/completions", "completion": "completions", "embedding": "embeddings"}


@dataclass(frozen=True, slots=True)
class EndpointRequest:
    """One request: for one row, or for some that are embedded together."""

    path: str
    body: Mapping[str, Any]
    answers: int
    """How many answers it expects."""
    tokens: int
    """How many tokens it takes, as far as can be known before."""


def build_request(
    spec: EndpointSpec,
    prompts: Sequence[RowPrompt],
    *,
    response_format: Mapping[str, Any] | None = None,
    earlier: Sequence[tuple[str, str]] = (),
) -> EndpointRequest:
    """The request for a prompt; of the route embedding, for several.

    `earlier`: what was answered before, and what is said to it: (answer, next message). Only of the route chat.
    """
    texts = [prompt.prompt for prompt in prompts]
    body: dict[str, Any] = {"model": spec.model, **spec.parameters}
    if spec.route == "embedding":
        body["input"] = texts
    else:
        if spec.max_tokens is not None:
            body["max_tokens"] = spec.max_tokens
        if spec.route == "completion":
            body["prompt"] = texts[0] if prompts[0].system is None else f"{prompts[0].system}\n\n{texts[0]}"
        else:
            body["messages"] = _build_messages(prompts[0], earlier)
            if response_format is not None:
                body["response_format"] = dict(response_format)
    characters = sum(len(prompt.prompt) + len(prompt.system or "") for prompt in prompts)
    characters += sum(len(answer) + len(message) for answer, message in earlier)
    answer = 0 if spec.route == "embedding" else spec.max_tokens or _EXPECTED_TOKENS
    tokens = characters // CHARACTERS_PER_TOKEN + answer + 1
    return EndpointRequest(PATHS[spec.route], body, len(prompts), tokens)


def _build_messages(prompt: RowPrompt, earlier: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    messages = [] if prompt.system is None else [{"role": "system", "content": prompt.system}]
    messages.append({"role": "user", "content": prompt.prompt})
    for answer, message in earlier:
        messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": message}]
    return messages
