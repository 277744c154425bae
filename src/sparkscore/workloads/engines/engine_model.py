"""The language model in the process of an executor, which MLflow's pyfunc loads: a prompt per row -> an answer.

Runs on executors.
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sparkscore.records.scored_rows import RowReject, ScoredRows
from sparkscore.workloads.endpoints.answer_formats import AnswerRefused, choose_answer_format
from sparkscore.workloads.endpoints.completions import Completion
from sparkscore.workloads.endpoints.endpoint_model import INVALID_ANSWER, LENGTH_EXCEEDED
from sparkscore.workloads.endpoints.endpoint_spec import EndpointSpec
from sparkscore.workloads.endpoints.refused_requests import PROMPT_TOO_LONG
from sparkscore.workloads.endpoints.row_prompts import PromptWriter, RowPrompt
from sparkscore.workloads.engines.engine_options import WEIGHTS_FOLDER, read_engine_files
from sparkscore.workloads.engines.vllm_engine import TokenisedPrompt, VllmEngine

if TYPE_CHECKING:
    import pandas as pd

ENGINE_ERROR = RowReject("engine_error", "the engine gave up the answer for this row")
_ANSWERED = ("stop", "length")


class OfflineEngine(Protocol):
    """What answers prompts in this process."""

    most_tokens: int | None

    def tokenise(self, prompt: RowPrompt) -> TokenisedPrompt:
        """The prompt as the model reads it."""

    def answer(self, prompts: Sequence[TokenisedPrompt]) -> list[Completion]:
        """One answer per prompt."""


def load_engine_model(data_path: str) -> "EngineModel":
    """A saved model, its weights in the memory of the device.

    Raises:  ConfigError where vLLM is not installed, or does not take the options.
    """
    spec, options = read_engine_files(Path(data_path))
    return EngineModel(spec, VllmEngine(Path(data_path, WEIGHTS_FOLDER), spec, options))


_load_pyfunc = load_engine_model  # the name that MLflow calls


class EngineModel:
    """Writes the prompts of a batch, has all of them answered at once, and judges the answers."""

    def __init__(self, spec: EndpointSpec, engine: OfflineEngine) -> None:
        self._spec, self._engine = spec, engine
        self._writer, self._answers = PromptWriter(spec), choose_answer_format(spec.answers)
        self._turn = threading.Lock()

    def predict(self, model_input: "pd.DataFrame", params: Mapping[str, Any] | None = None) -> ScoredRows:
        """The answers of a batch; rows without one are rejected.

        Counts:  prompt_tokens, completion_tokens, requests.
        """
        del params  # it has none
        columns = {name: model_input[name].tolist() for name in self._writer.columns}
        rejects: dict[int, RowReject] = {}
        prompts: dict[int, TokenisedPrompt] = {}
        with self._turn:  # an engine is of one thread; tasks of the executor take turns, with whole batches
            for place, row in enumerate(self._writer.write_prompts(columns)):
                if isinstance(row, RowReject):
                    rejects[place] = row
                elif self._is_too_long(tokenised := self._engine.tokenise(row)):
                    rejects[place] = PROMPT_TOO_LONG
                else:
                    prompts[place] = tokenised
            answered = self._engine.answer(list(prompts.values())) if prompts else []
        completions = dict(zip(prompts, answered, strict=True))
        rows: dict[int, dict[str, Any]] = {}
        for place, completion in completions.items():
            judged = self._judge(completion)
            if isinstance(judged, RowReject):
                rejects[place] = judged
            else:
                rows[place] = judged
        return ScoredRows([rows.get(place) for place in range(len(model_input))], rejects, _count(answered))

    def _is_too_long(self, prompt: TokenisedPrompt) -> bool:
        most = self._engine.most_tokens
        return most is not None and len(prompt.token_ids) >= most

    def _judge(self, completion: Completion) -> dict[str, Any] | RowReject:
        if completion.finish_reason == "length" and not self._spec.keeps_cut_answers:
            return LENGTH_EXCEEDED
        if completion.finish_reason not in _ANSWERED:
            return ENGINE_ERROR
        try:
            answer = self._answers.parse_answer(completion.text or "")
        except AnswerRefused as refused:
            return RowReject(INVALID_ANSWER, str(refused))
        return {
            "answer": answer,
            "finish_reason": completion.finish_reason,
            "prompt_tokens": completion.prompt_tokens,
            "completion_tokens": completion.completion_tokens,
        }


def _count(answered: Sequence[Completion]) -> Mapping[str, float]:
    """Rejected answers are counted as well: they were computed."""
    return {
        "requests": len(answered),
        "prompt_tokens": sum(one.prompt_tokens for one in answered),
        "completion_tokens": sum(one.completion_tokens for one in answered),
    }
