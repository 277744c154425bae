"""vLLM's offline engine: texts of a batch in, answers out, batched continuously by vLLM itself. Runs on executors.

Written for vLLM 0.11 and newer: `LLM`, `SamplingParams`, `StructuredOutputsParams`, `RequestOutput`.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sparkscore.errors import ConfigError, PredictError
from sparkscore.model.runtimes.memory_errors import is_out_of_memory
from sparkscore.workloads.endpoints.completions import Completion
from sparkscore.workloads.endpoints.endpoint_spec import AnswerSpec, EndpointSpec
from sparkscore.workloads.endpoints.row_prompts import RowPrompt
from sparkscore.workloads.engines.engine_options import VllmOptions

_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the engine ends with the executor's process, and schedules the same again
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",  # all that it loads is in the model's folder
}
MISSING_VLLM = "vllm is not installed in the executors' Python"


@dataclass(frozen=True, slots=True)
class TokenisedPrompt:
    """What an engine is asked for one row."""

    token_ids: Sequence[int]


class VllmEngine:
    """One engine, with the weights of one model in the memory of its device."""

    def __init__(self, weights: Path, spec: EndpointSpec, options: VllmOptions) -> None:
        if find_spec("vllm") is None:
            raise ConfigError(MISSING_VLLM, "the extra vllm", "pip install 'sparkscore[vllm]' there")
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        library = import_module("vllm")
        self._params = _build_sampling_params(library, spec)
        self._engine = library.LLM(
            model=str(weights),
            tokenizer=str(weights),
            trust_remote_code=False,
            load_format="safetensors",
            seed=0,
            **options.arguments,
        )
        self._tokenizer = self._engine.get_tokenizer()
        self._route = spec.route
        if spec.route == "chat" and getattr(self._tokenizer, "chat_template", "") is None:
            raise ConfigError(
                "the tokenizer of the weights has no chat template",
                "one, as models that were trained on chats have it",
                "log the model again with route: completion",
            )
        self.most_tokens = _find_context_length(self._engine, options)

    def tokenise(self, prompt: RowPrompt) -> TokenisedPrompt:
        """The prompt as the model reads it: by the chat template of its tokenizer, or as it is."""
        if self._route == "completion":
            text = prompt.prompt if prompt.system is None else f"{prompt.system}\n\n{prompt.prompt}"
            return TokenisedPrompt(self._tokenizer.encode(text))
        messages = [] if prompt.system is None else [{"role": "system", "content": prompt.system}]
        messages.append({"role": "user", "content": prompt.prompt})
        text = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return TokenisedPrompt(self._tokenizer.encode(text, add_special_tokens=False))  # the template has them

    def answer(self, prompts: Sequence[TokenisedPrompt]) -> list[Completion]:
        """One answer per prompt, in their order.

        Needs:   prompts shorter than `most_tokens`.
        Raises:  PredictError for an engine that has failed, which is no row's fault; ValueError for prompts that it
                 does not take, and what says that memory ran out: fewer rows may be answered.
        """
        asked = [{"prompt_token_ids": list(prompt.token_ids)} for prompt in prompts]
        try:
            outputs = self._engine.generate(asked, sampling_params=self._params, use_tqdm=False)
        except ValueError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise PredictError(
                f"vLLM failed on a batch of {len(prompts):,} prompts: {type(error).__name__}",
                "an engine that lives as long as its executor",
                "see the log of the model's process; give it less of the GPU's memory (gpu_memory_utilization)",
            ) from error
        return [_read_output(output) for output in outputs]


def _read_output(output: Any) -> Completion:
    (first,) = output.outputs
    return Completion(
        first.text,
        str(first.finish_reason or "stop"),
        len(output.prompt_token_ids or ()),
        len(first.token_ids),
    )


def _build_sampling_params(library: Any, spec: EndpointSpec) -> Any:
    structured = _choose_structure(spec.answers)
    given: dict[str, Any] = {"n": 1, "max_tokens": spec.max_tokens, **spec.parameters}
    if structured is not None:
        given["structured_outputs"] = import_module("vllm.sampling_params").StructuredOutputsParams(**structured)
    try:
        return library.SamplingParams(**given)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"vLLM does not take the parameters {', '.join(spec.parameters)}: {error!s:.200}",
            "parameters of its SamplingParams",
            "log the model again with others",
        ) from error


def _choose_structure(answers: AnswerSpec) -> Mapping[str, Any] | None:
    """What an answer may be, so that no other is generated."""
    if answers.kind == "class":
        return {"choice": list(answers.classes)}
    if answers.kind == "json" and answers.request != "none":
        return {"json": answers.schema} if answers.request == "json_schema" else {"json_object": True}
    return None


def _find_context_length(engine: Any, options: VllmOptions) -> int | None:
    """Tokens of a prompt and its answer, at most; None where the engine does not say it."""
    for owner in (engine, getattr(engine, "llm_engine", None)):
        length = getattr(getattr(owner, "model_config", None), "max_model_len", None)
        if isinstance(length, int):
            return length
    return options.arguments.get("max_model_len")
