"""The MLflow model that asks an endpoint: `loader_module` of the models that jobs with a section `llm` score with.

Runs on executors; loads nothing but pyarrow's neighbours and aiohttp.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkscore.errors import ConfigError
from sparkscore.records.scored_rows import RowReject, ScoredRows
from sparkscore.redaction.known_secrets import register_secret
from sparkscore.workloads.concurrency import gather_bounded
from sparkscore.workloads.endpoints.answer_formats import AnswerFormat, AnswerRefused, choose_answer_format
from sparkscore.workloads.endpoints.answer_journal import AnswerJournal, digest_request, open_journal
from sparkscore.workloads.endpoints.completions import Completion, parse_completions
from sparkscore.workloads.endpoints.endpoint_client import EndpointClient, RowRefused
from sparkscore.workloads.endpoints.endpoint_requests import EndpointRequest, build_request
from sparkscore.workloads.endpoints.endpoint_spec import ACCESS_VARIABLE, EndpointAccess, EndpointSpec
from sparkscore.workloads.endpoints.http_posting import HttpAnswer, HttpPoster
from sparkscore.workloads.endpoints.rate_limits import FileTurns, MinuteLimit
from sparkscore.workloads.endpoints.refused_requests import CONTENT_FILTER
from sparkscore.workloads.endpoints.row_prompts import PromptWriter, RowPrompt
from sparkscore.workloads.endpoints.shared_slots import SharedSlots

if TYPE_CHECKING:
    import pandas as pd

SPEC_FILE = "endpoint.json"
LENGTH_EXCEEDED = RowReject("length_exceeded", "the answer for this row was cut off at llm.max_tokens")
INVALID_ANSWER = "invalid_answer"
_FILTERED = ("content_filter", "refusal")


def _load_pyfunc(data_path: str) -> "EndpointModel":
    """MLflow's way in: the model, reached as the environment says.

    Raises:  ConfigError where it does not say how.
    """
    text = os.environ.get(ACCESS_VARIABLE)
    if text is None:
        raise ConfigError(
            "the model asks an endpoint, and nothing says where it is",
            f"the environment variable {ACCESS_VARIABLE}, which a job with a section llm sets",
            "score it with a config that has a section llm",
        )
    if find_spec("aiohttp") is None:
        raise ConfigError(
            "aiohttp is not installed in the executors' Python", "the extra llm", "pip install 'sparkscore[llm]' there"
        )
    access = EndpointAccess.from_json(text)
    register_secret(access.key)
    spec = EndpointSpec.from_json(Path(data_path, SPEC_FILE).read_text(encoding="utf-8"))
    client = EndpointClient(
        access,
        HttpPoster(access),
        SharedSlots(_name_shared_file(access, "slots"), access.concurrency),
        _open_limit(access.requests_per_minute, access, "requests"),
        _open_limit(access.tokens_per_minute, access, "tokens"),
    )
    journal = None if access.journal is None else open_journal(_open_folder("endpoint-answers"), access.journal)
    return EndpointModel(spec, client, journal=journal)


def _open_limit(per_minute: float | None, access: EndpointAccess, kind: str) -> MinuteLimit | None:
    return None if per_minute is None else MinuteLimit(per_minute, FileTurns(_name_shared_file(access, kind)))


def _name_shared_file(access: EndpointAccess, kind: str) -> Path:
    """The file of a limit that the processes of this executor share: those that one process has started."""
    boot = Path("/proc/sys/kernel/random/boot_id")  # the clock of turns begins anew with each
    since = boot.read_text(encoding="ascii").strip()[:8] if boot.exists() else "boot"
    return _open_folder("endpoint-limits") / f"{access.limit_name}-{since}-{os.getppid()}-{kind}"


def _open_folder(name: str) -> Path:
    from sparkscore.model.distribution.locked_directory import ensure_private_folder

    return ensure_private_folder(name)


class EndpointModel:
    """Asks an endpoint for each row."""

    def __init__(
        self,
        spec: EndpointSpec,
        client: EndpointClient,
        answers: AnswerFormat | None = None,
        journal: AnswerJournal | None = None,
    ) -> None:
        self._spec, self._client, self._journal = spec, client, journal
        self._writer = PromptWriter(spec)
        self._has_failed = False
        self._answers = answers or choose_answer_format(spec.answers)

    async def predict(self, model_input: "pd.DataFrame", params: Mapping[str, Any] | None = None) -> ScoredRows:
        """The answers of a batch, each with what it took; rows without one are rejected.

        Raises:  EndpointUnavailable, ServedModelChanged, AccessDenied, ConfigError, ModelNotFound.
        """
        batch = _AskedBatch(self._spec, self._client, self._answers, self._journal)
        if self._journal is not None:
            self._journal.refresh(with_own=self._has_failed)
        columns = {name: model_input[name].tolist() for name in self._writer.columns}
        rows = list(self._writer.write_prompts(columns))
        prompts = [(place, row) for place, row in enumerate(rows) if isinstance(row, RowPrompt)]
        batch.rejects |= {place: row for place, row in enumerate(rows) if isinstance(row, RowReject)}
        size = self._client.access.texts_per_request if self._spec.route == "embedding" else 1
        groups = [prompts[first : first + size] for first in range(0, len(prompts), size)]
        self._has_failed = True
        await gather_bounded(batch.ask_rows, groups, 2 * self._client.access.concurrency)
        self._has_failed = False
        if self._journal is not None:
            self._journal.skip_own()
        return ScoredRows(batch.build_predictions(len(rows)), batch.rejects, batch.take_counts())


class _AskedBatch:
    """What was answered of a batch so far."""

    def __init__(
        self, spec: EndpointSpec, client: EndpointClient, answers: AnswerFormat, journal: AnswerJournal | None
    ) -> None:
        self._spec, self._client, self._answers, self._journal = spec, client, answers, journal
        self.rejects: dict[int, RowReject] = {}
        self._rows: dict[int, dict[str, Any]] = {}
        self._counts: Counter[str] = Counter()

    async def ask_rows(self, group: Sequence[tuple[int, RowPrompt]]) -> None:
        """Ask for some rows in one request, and keep what became of them."""
        places, prompts = [place for place, _ in group], [prompt for _, prompt in group]
        try:
            completions = await self._ask(prompts)
            for place, prompt, completion in zip(places, prompts, completions, strict=True):
                await self._keep(place, prompt, completion)
        except RowRefused as refused:
            if len(group) > 1:  # perhaps one of them alone is at fault
                for one in group:
                    await self.ask_rows([one])
            else:
                self.rejects[places[0]] = refused.row

    async def _ask(self, prompts: Sequence[RowPrompt], earlier: Sequence[tuple[str, str]] = ()) -> list[Completion]:
        request = build_request(self._spec, prompts, response_format=self._answers.response_format(), earlier=earlier)
        if self._journal is None:
            completions, latency_ms = await self._client.ask(request, partial(self._parse_paid, request))
        else:
            completions, latency_ms = await self._ask_once(request, self._journal)
        return [replace(completion, latency_ms=latency_ms) for completion in completions]

    async def _ask_once(self, request: EndpointRequest, journal: AnswerJournal) -> tuple[list[Completion], float]:
        """The answer of the journal, else of the endpoint, which is written down before it is used."""
        key = digest_request(request.path, request.body)
        known = journal.take_answer(key)
        if known is not None:
            self._counts["recovered_answers"] += 1
            return parse_completions(self._spec, request, known.content), known.latency_ms
        content = b""

        def parse(answer: HttpAnswer) -> list[Completion]:
            nonlocal content
            content = answer.content
            return self._parse_paid(request, answer)

        completions, latency_ms = await self._client.ask(request, parse)
        journal.add_answer(key, content, latency_ms)
        return completions, latency_ms

    def _parse_paid(self, request: EndpointRequest, answer: HttpAnswer) -> list[Completion]:
        completions = parse_completions(self._spec, request, answer.content)
        prompt = sum(one.prompt_tokens for one in completions)
        completion = sum(one.completion_tokens for one in completions)
        self._counts["prompt_tokens"] += prompt
        self._counts["completion_tokens"] += completion
        self._client.settle_tokens(request, prompt + completion)
        return completions

    async def _keep(self, place: int, prompt: RowPrompt, completion: Completion) -> None:
        """The answer, or why it is none; one that is not what it has to be is asked for once more."""
        if self._spec.route == "embedding":
            self._rows[place] = {"embedding": completion.embedding, **self._describe(completion)}
            return
        reject = self._judge_finish(completion)
        if reject is None:
            try:
                answer = self._answers.parse_answer(completion.text or "")
            except AnswerRefused as refused:
                reject = RowReject(INVALID_ANSWER, str(refused))
                if refused.repair is not None and self._spec.route == "chat":
                    (repaired,) = await self._ask([prompt], [(completion.text or "", refused.repair)])
                    self._counts["repair_requests"] += 1
                    total = _add_usage(completion, repaired)
                    reject = self._judge_finish(repaired) or self._try_answer(place, total)
            else:
                self._rows[place] = {"answer": answer, **self._describe(completion)}
        if reject is not None:
            self.rejects[place] = reject

    def _try_answer(self, place: int, completion: Completion) -> RowReject | None:
        try:
            answer = self._answers.parse_answer(completion.text or "")
        except AnswerRefused as refused:
            return RowReject(INVALID_ANSWER, str(refused))
        self._rows[place] = {"answer": answer, **self._describe(completion)}
        return None

    def _judge_finish(self, completion: Completion) -> RowReject | None:
        if completion.finish_reason in _FILTERED:
            return CONTENT_FILTER
        is_cut = completion.finish_reason == "length" and not self._spec.keeps_cut_answers
        return LENGTH_EXCEEDED if is_cut else None

    def _describe(self, completion: Completion) -> Mapping[str, Any]:
        prompt, answer = completion.prompt_tokens, completion.completion_tokens
        return {
            "finish_reason": completion.finish_reason,
            "prompt_tokens": prompt,
            "completion_tokens": answer,
            "latency_ms": completion.latency_ms,
            "cost": self._client.access.cost_of(prompt, answer),
        }

    def build_predictions(self, rows: int) -> list[dict[str, Any] | None]:
        """One per row, None for rejected ones."""
        return [self._rows.get(place) for place in range(rows)]

    def take_counts(self) -> Mapping[str, float]:
        """The batch's counts, and the client's since they were last taken."""
        client = self._client.take_counts()
        prompt, completion = self._counts["prompt_tokens"], self._counts["completion_tokens"]
        return {
            "requests": client.requests,
            "retries": client.retries,
            "unanswered_requests": client.unanswered_requests,
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "cost": self._client.access.cost_of(prompt, completion),
            "repair_requests": self._counts["repair_requests"],
            "recovered_answers": self._counts["recovered_answers"],
            "rate_limit_wait_s": client.rate_limit_wait_s,
            "retry_wait_s": client.retry_wait_s,
        }


def _add_usage(first: Completion, second: Completion) -> Completion:
    """The second answer, with what both of them took."""
    return replace(
        second,
        prompt_tokens=first.prompt_tokens + second.prompt_tokens,
        completion_tokens=first.completion_tokens + second.completion_tokens,
        latency_ms=first.latency_ms + second.latency_ms,
    )
