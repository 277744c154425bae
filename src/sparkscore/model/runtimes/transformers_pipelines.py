"""Pipelines of MLflow's flavour transformers, made fit for batches of rows. Runs on executors.

What MLflow gives stays as it is. What it fails on, or gets wrong for several rows, is mended or refused here.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from types import MappingProxyType, SimpleNamespace
from typing import Any

from sparkscore.errors import ModelError

_DEVICE_VARIABLE = "MLFLOW_DEFAULT_PREDICTION_DEVICE"
_CPU = "-1"
TRANSFORMERS_LOADER = "mlflow.transformers"
"""The module that loads such models, and has the class of the wrappers."""
BATCH_SIZE = "batch_size"
"""The setting of `model.config` that no model was logged with to have it: rows that a pipeline computes at once."""


@contextmanager
def choose_pipeline_device(folder: str, device: str | None) -> Iterator[None]:
    """Where MLflow puts a pipeline that it loads in the block: on the task's GPU, else on the CPU. By itself it takes
    the first GPU in every process. The operator's own variable goes first. Nothing for models of other flavours.

    `folder`: the model's; `device`: the address of a GPU that the process sees, None: the task has none.

    Raises:  ModelError where PyTorch cannot use it.
    """
    if os.environ.get(_DEVICE_VARIABLE) or not _is_transformers_folder(folder):
        yield
        return
    os.environ[_DEVICE_VARIABLE] = _CPU if device is None else _require_gpu(device)
    try:
        yield
    finally:
        del os.environ[_DEVICE_VARIABLE]


def _is_transformers_folder(folder: str) -> bool:
    flavors = import_module("mlflow.models").Model.load(folder).flavors
    return bool(flavors["python_function"].get("loader_module") == TRANSFORMERS_LOADER)


def _require_gpu(device: str) -> str:
    torch = import_module("torch")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not device.isdecimal() or int(device) >= count:
        raise ModelError(
            f"the GPU of the task (address {device}) cannot be used: PyTorch sees {count}",
            "a numbered GPU, CUDA, and a PyTorch that is built for it on every executor that has GPU tasks",
            "install them there; set model.residency to executor if addresses are no numbers; or request no GPU",
        )
    return device


def is_transformers_wrapper(wrapper: Any) -> bool:
    """Whether MLflow's flavour transformers has loaded it."""
    return type(wrapper).__module__ == TRANSFORMERS_LOADER


def adapt_transformers_model(model: Any, config: str | None) -> Any:
    """MLflow's function with a pipeline that takes batches: one whose tokenizer has no padding token gets that of the
    end, as transformers' own message for it says, and a temperature of 0 is a choice without chance.

    Needs:   a model of whose wrapper `is_transformers_wrapper` holds; `model.config` as JSON, or None.
    """
    wrapper = model._model_impl  # noqa: SLF001  which MLflow calls stable
    given = {} if config is None else json.loads(config)
    if BATCH_SIZE in given:
        wrapper.model_config = MappingProxyType({**wrapper.model_config, BATCH_SIZE: given[BATCH_SIZE]})
    _give_padding_token(wrapper.pipeline)
    predict = _adapt_predict(wrapper, wrapper.predict)
    return import_module("mlflow.pyfunc").PyFuncModel(model.metadata, SimpleNamespace(predict=predict))


def _give_padding_token(pipeline: Any) -> None:
    tokenizer = getattr(pipeline, "tokenizer", None)
    if tokenizer is not None and tokenizer.pad_token_id is None and tokenizer.eos_token_id is not None:
        tokenizer.pad_token_id = tokenizer.eos_token_id


def _adapt_predict(wrapper: Any, predict: Callable[..., Any]) -> Callable[..., Any]:
    """As MLflow calls it: `predict(data, params)`."""
    logged = dict(wrapper.model_config)
    if not getattr(wrapper.pipeline.model, "can_generate", bool)():
        return partial(_call_predict, predict)

    def generate(data: Any, params: Mapping[str, Any] | None = None) -> Any:
        options = {**logged, **(params or {})}
        _refuse_sequences(options.get("num_return_sequences"))
        own = dict(params or {})
        wrapper.model_config = MappingProxyType(logged)
        if options.get("temperature") == 0:
            own = {name: one for name, one in own.items() if name != "temperature"} | {"do_sample": False}
            wrapper.model_config = MappingProxyType({k: one for k, one in logged.items() if k != "temperature"})
        return predict(data, own or None)

    return generate


def _call_predict(predict: Callable[..., Any], data: Any, params: Mapping[str, Any] | None = None) -> Any:
    return predict(data, params)


def _refuse_sequences(count: Any) -> None:
    """MLflow puts the sequences of all rows into one list, and gives each row the one at its place."""
    from sparkscore.model.runtimes.scorer import RefusedResultError  # here: it needs what needs the runtimes

    if isinstance(count, int) and count > 1:
        raise RefusedResultError(
            f"num_return_sequences is {count}, for which MLflow gives rows the answers of other rows",
            "one answer per row",
            "leave num_return_sequences out",
        )
