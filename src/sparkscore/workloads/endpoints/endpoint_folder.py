"""The files of the model that asks an endpoint, an MLflow model: equal settings give equal bytes. Runs on the driver.

Written by hand: MLflow itself would put times and identifiers into them, and the digest of the files is the pin.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sparkscore.workloads.endpoints.answer_formats import choose_answer_format
from sparkscore.workloads.endpoints.endpoint_model import SPEC_FILE
from sparkscore.workloads.endpoints.endpoint_spec import EndpointSpec
from sparkscore.workloads.endpoints.row_prompts import PromptWriter

LOADER_MODULE = "sparkscore.workloads.endpoints.endpoint_model"
_BATCH_ROWS = 256
"""Rows that are asked for together: many times the requests that are open at once, and seconds, not minutes."""
_EMBEDDING = {"name": "embedding", "type": "array", "items": {"type": "float"}, "required": True}
_USAGE = (
    {"name": "finish_reason", "type": "string", "required": True},
    {"name": "prompt_tokens", "type": "long", "required": True},
    {"name": "completion_tokens", "type": "long", "required": True},
    {"name": "latency_ms", "type": "double", "required": True},
    {"name": "cost", "type": "double", "required": True},
)


def write_endpoint_folder(spec: EndpointSpec, folder: Path) -> Path:
    """The folder, with the model's files in it."""
    for name, content in build_endpoint_files(spec).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def build_endpoint_files(spec: EndpointSpec) -> Mapping[str, bytes]:
    """Content by name."""
    answer = [_EMBEDDING] if spec.route == "embedding" else choose_answer_format(spec.answers).describe_columns()
    inputs = [{"name": name, "type": "any", "required": True} for name in PromptWriter(spec).columns]
    mlmodel: dict[str, Any] = {
        "flavors": {"python_function": {"data": "data", "loader_module": LOADER_MODULE}},
        "metadata": {"sparkscore": {"batch_rows": _BATCH_ROWS}},
        "signature": {"inputs": json.dumps(inputs), "outputs": json.dumps([*answer, *_USAGE]), "params": None},
    }
    return {
        "MLmodel": yaml.safe_dump(mlmodel, sort_keys=True).encode(),
        f"data/{SPEC_FILE}": spec.to_json().encode(),
    }
