"""Saves weights and prompts as a language model that executors run in their own process. Runs on the driver."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from sparkscore.errors import ConfigError
from sparkscore.records.prompt_templates import PromptTemplate
from sparkscore.settings.llm_settings import LlmOutputSettings
from sparkscore.workloads.endpoints.answer_formats import choose_answer_format
from sparkscore.workloads.endpoints.endpoint_spec import AnswerSpec, EndpointSpec
from sparkscore.workloads.endpoints.row_prompts import PromptWriter
from sparkscore.workloads.engines.engine_options import WEIGHTS_FOLDER, VllmOptions, write_engine_files

_LOADER = "sparkscore.workloads.engines.engine_model"
BATCH_ROWS = 2048
"""Rows that an engine gets at once: several times the requests that it computes side by side."""
_ANSWER_PARTS = (("finish_reason", "string"), ("prompt_tokens", "long"), ("completion_tokens", "long"))
_PICKLED = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
_OWN_PARAMETERS = ("n", "max_tokens", "temperature", "seed", "structured_outputs", "output_kind")


def save_language_model(path: str | Path, weights: str | Path, **options: Any) -> None:
    """Save a language model as an MLflow model in a new folder. Options: those of `log_language_model`.

    Raises:  ConfigError.
    """
    import mlflow

    with _make_language_model(weights, **options) as made:
        mlflow.pyfunc.save_model(str(path), **made)


def log_language_model(
    name: str, weights: str | Path, *, registered_model_name: str | None = None, **options: Any
) -> Any:
    """Log a language model that vLLM runs in the executors' own process: the columns of the prompt -> an answer.

    `weights`: a folder as transformers saves it: weights in safetensors, configuration, tokenizer. Options, as those of
    section llm: `prompt`, `system`, `null_text`, `output`, `route` (chat or completion), `max_tokens`, `cut_answers`,
    `temperature`, `seed`, `parameters` (of vLLM's SamplingParams). `engine`: vLLM's engine arguments that say how fast,
    and in how much memory: {"max_model_len": 4096}. `batch_rows`: rows that the engine gets at once.
    Score it with model.residency: executor.

    Returns: MLflow's ModelInfo.
    Jobs:    none.
    Raises:  ConfigError for what does not fit.
    """
    import mlflow

    with _make_language_model(weights, **options) as made:
        return mlflow.pyfunc.log_model(name=name, registered_model_name=registered_model_name, **made)


@contextmanager
def _make_language_model(  # noqa: PLR0913 - what the public functions take
    weights: str | Path,
    *,
    prompt: str,
    system: str | None = None,
    null_text: str | None = None,
    output: Mapping[str, Any] | None = None,
    route: Literal["chat", "completion"] = "chat",
    max_tokens: int = 256,
    cut_answers: Literal["reject", "keep"] = "reject",
    temperature: float = 0.0,
    seed: int | None = 0,
    parameters: Mapping[str, Any] | None = None,
    engine: Mapping[str, Any] | None = None,
    batch_rows: int = BATCH_ROWS,
) -> Iterator[dict[str, Any]]:
    """What `mlflow.pyfunc` saves, as long as the block lasts."""
    options = VllmOptions(dict(engine or {}))
    _check_engine_choices(route, cut_answers, parameters or {}, max_tokens=max_tokens, batch_rows=batch_rows)
    spec = EndpointSpec(
        Path(weights).name,
        (),
        route,
        prompt,
        system=system,
        null_text=null_text,
        max_tokens=max_tokens,
        keeps_cut_answers=cut_answers == "keep",
        parameters={"temperature": temperature, **({} if seed is None else {"seed": seed}), **(parameters or {})},
        answers=_to_answer_spec(output or {}),
    )
    _check_templates(prompt, system)
    with tempfile.TemporaryDirectory(prefix="sparkscore-llm-") as folder:
        data = Path(folder, "language_model")
        data.mkdir()
        _copy_weights(Path(weights), data / WEIGHTS_FOLDER)
        write_engine_files(data, spec, options)
        yield {
            "loader_module": _LOADER,
            "data_path": str(data),
            "signature": _make_engine_signature(spec),
            "pip_requirements": _list_engine_requirements(),
            "metadata": {"sparkscore": {"batch_rows": batch_rows, "residency": "executor"}},
        }


def _check_engine_choices(
    route: str, cut_answers: str, parameters: Mapping[str, Any], *, max_tokens: int, batch_rows: int
) -> None:
    own = [name for name in parameters if name in _OWN_PARAMETERS]
    found = [
        text
        for text, is_wrong in (
            (f"route {route!r}, and not chat or completion", route not in ("chat", "completion")),
            (f"cut_answers {cut_answers!r}, and not reject or keep", cut_answers not in ("reject", "keep")),
            (f"max_tokens {max_tokens!r}, and not 1 or more", max_tokens < 1),
            (f"batch_rows {batch_rows!r}, and not 1 or more", batch_rows < 1),
            (f"parameters that have an option of their own, or none: {', '.join(own)}", bool(own)),
        )
        if is_wrong
    ]
    if found:
        raise ConfigError(f"a language model with {'; '.join(found)}", "options that fit", "correct them")


def _check_templates(prompt: str, system: str | None) -> None:
    try:
        columns = PromptTemplate.parse(prompt).columns
        PromptTemplate.parse(system or "")
    except ValueError as error:
        raise ConfigError(f"a template of a language model has {error}", "text with {column}", "correct it") from error
    if not columns:
        raise ConfigError("a prompt that names no column", "a prompt with {column}", "name one")


def _to_answer_spec(output: Mapping[str, Any]) -> AnswerSpec:
    try:
        settings = LlmOutputSettings(**output)
    except ValidationError as error:
        found = "; ".join(str(one["msg"]) for one in error.errors())
        raise ConfigError(f"output of a language model: {found}", "as llm.output has it", "correct it") from error
    if settings.type != "json":
        return AnswerSpec(settings.type, settings.classes)
    schema = json.dumps(settings.json_schema, sort_keys=True)
    return AnswerSpec("json", schema=schema, request=settings.response_format or "json_schema")


def _copy_weights(weights: Path, folder: Path) -> None:
    """Files alone, without pickles: the engine loads safetensors."""
    files = sorted(file for file in weights.glob("*") if file.is_file())
    if not any(file.suffix == ".safetensors" for file in files) or not (weights / "config.json").is_file():
        raise ConfigError(
            f"the folder {weights} has no weights in safetensors, or no config.json",
            "a folder as save_pretrained of transformers writes it, with its tokenizer",
            "save the model there: model.save_pretrained(folder); tokenizer.save_pretrained(folder)",
        )
    folder.mkdir()
    for file in files:
        if file.suffix not in (*_PICKLED, ".py"):
            shutil.copyfile(file, folder / file.name)


def _make_engine_signature(spec: EndpointSpec) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import Schema

    answer = list(choose_answer_format(spec.answers).describe_columns())
    parts = [{"name": name, "type": kind, "required": True} for name, kind in _ANSWER_PARTS]
    inputs = [{"name": name, "type": "any", "required": False} for name in PromptWriter(spec).columns]
    return ModelSignature(Schema.from_json(json.dumps(inputs)), Schema.from_json(json.dumps([*answer, *parts])))


def _list_engine_requirements() -> list[str]:
    """The engine, as it is here; any of the known interface where it is not."""
    try:
        return [f"vllm=={version('vllm')}"]
    except PackageNotFoundError:
        return ["vllm>=0.11"]
