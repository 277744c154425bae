"""How an engine runs a language model: what its author may say of it. Light: executors import it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparkscore.errors import ConfigError
from sparkscore.workloads.endpoints.endpoint_spec import EndpointSpec

SPEC_FILE, OPTIONS_FILE, WEIGHTS_FOLDER = "prompts.json", "engine.json", "weights"
ENGINE_OPTIONS: Mapping[str, type | tuple[type, ...]] = {
    "dtype": str,
    "enable_prefix_caching": bool,
    "enforce_eager": bool,
    "gpu_memory_utilization": float,
    "kv_cache_dtype": str,
    "max_model_len": int,
    "max_num_batched_tokens": int,
    "max_num_seqs": int,
    "quantization": str,
}
"""Those of vLLM's engine arguments that say how fast, and in how much memory. What a model's files may not say: whose
code is imported, where weights come from, which files of the machine are read."""


@dataclass(frozen=True, slots=True)
class VllmOptions:
    """What an engine is started with."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Of `ENGINE_OPTIONS`."""

    def __post_init__(self) -> None:
        for name, value in self.arguments.items():
            kind = ENGINE_OPTIONS.get(name)
            if kind is None:
                raise ConfigError(
                    f"an engine with the option {name!s:.80}",
                    f"one of {', '.join(ENGINE_OPTIONS)}",
                    "leave it out: what else vLLM has is not a model's to say",
                )
            is_number = kind is float and isinstance(value, int) and not isinstance(value, bool)
            if not is_number and type(value) is not kind:
                raise ConfigError(f"an engine with {name}: {value!r:.80}", f"a value of type {kind}", "correct it")


def write_engine_files(folder: Path, spec: EndpointSpec, options: VllmOptions) -> None:
    """What executors read, beside the weights."""
    (folder / SPEC_FILE).write_text(spec.to_json(), encoding="utf-8")
    text = json.dumps(dict(options.arguments), sort_keys=True, indent=1) + "\n"
    (folder / OPTIONS_FILE).write_text(text, encoding="utf-8")


def read_engine_files(folder: Path) -> tuple[EndpointSpec, VllmOptions]:
    """What `write_engine_files` wrote.

    Raises:  ConfigError for options that no model may have.
    """
    options = json.loads((folder / OPTIONS_FILE).read_text(encoding="utf-8"))
    return EndpointSpec.from_json((folder / SPEC_FILE).read_text(encoding="utf-8")), VllmOptions(options)
