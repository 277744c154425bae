"""Private copies of models whose predictions have reasons: the model's files, another loader, and what it is asked.

Nothing of the model is imported. Equal models and requests give equal files, so equal digests.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from sparkscore.errors import ConfigError, ModelError
from sparkscore.model.registry.private_copies import fetch_private_copy
from sparkscore.model.signature.declared_signature import declare_signature
from sparkscore.model.trust.mlmodel_file import TRUSTED_LOADERS, read_mlmodel
from sparkscore.records import NO_OUTPUT_PARTS, PinnedModel
from sparkscore.records.reason_records import REASONS_FILE, REASONS_LOADER, ReasonsRequest
from sparkscore.schemas import PREDICTION_COLUMN, REASON_COLUMNS

_LOADERS = ("mlflow.sklearn", "mlflow.lightgbm", "mlflow.xgboost", "mlflow.catboost")
_PYFUNC = "python_function"
_OWN_KEYS = ("loader_module", "data", "predict_fn", "config")
"""Of the flavour: what the model that is explained is loaded with."""
_MLFLOW_NAMES: Mapping[pa.DataType, str] = {
    pa.bool_(): "boolean",
    pa.int8(): "integer",
    pa.int16(): "integer",
    pa.int32(): "integer",
    pa.int64(): "long",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
}


@dataclass(frozen=True, slots=True)
class ExplanationRequest:
    """What is asked of a model beside its predictions."""

    top: int
    inputs: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    background: pa.Table | None = None


def build_explained_copy(model: PinnedModel, wanted: ExplanationRequest, copies: str) -> PinnedModel:
    """The model with `executed`: a copy under `<copies>/<its digest>` that returns predictions with their reasons.

    The copy is trusted as far as the model is: its digest says that it holds the model's files.

    Runs on: driver.
    Raises:  ModelError for a model of another flavour than `_LOADERS`; ConfigError for a background of other types than
             numbers, texts and booleans; AccessDenied.
    """
    described = declare_signature(model.described or read_mlmodel(model.path, model.trust), model.declared)
    flavor = described["flavors"][_PYFUNC]
    if flavor.get("loader_module") not in _LOADERS:
        raise ModelError(
            f"reasons of a model that {flavor.get('loader_module')} loads",
            f"a model logged by {', '.join(_LOADERS)}",
            "leave `reasons` out of the config, or log the model with the flavour of its library",
        )
    request = _describe_request(flavor, wanted)
    output = pa.struct([(PREDICTION_COLUMN, model.output), *((one.name, one.type) for one in REASON_COLUMNS)])
    mlmodel = _build_mlmodel(described, output)
    folder, digest = fetch_private_copy(partial(_write_copy, Path(model.path), mlmodel, request), copies)
    trust = replace(
        model.trust,
        loaders=(*(TRUSTED_LOADERS if model.trust.loaders is None else model.trust.loaders), REASONS_LOADER),
        digests=None if model.trust.digests is None else (*model.trust.digests, digest),
    )
    executed = replace(
        model,
        digest=digest,
        path=str(folder),
        runtime="pyfunc",
        output=output,
        parts=NO_OUTPUT_PARTS,
        config=None,
        declared=None,
        trust=trust,
        described=mlmodel,
    )
    return replace(model, executed=executed)


def _describe_request(flavor: Mapping[str, Any], wanted: ExplanationRequest) -> ReasonsRequest:
    background = None if wanted.background is None else _list_background(wanted.background)
    return ReasonsRequest(
        wanted.top,
        wanted.inputs,
        wanted.hidden,
        str(flavor["loader_module"]),
        str(flavor.get("data") or "."),
        str(flavor.get("predict_fn") or "predict"),
        None if background is None else {name: values for name, (values, _) in background.items()},
        {} if background is None else {name: kind for name, (_, kind) in background.items()},
    )


def _list_background(rows: pa.Table) -> dict[str, tuple[list[Any], str]]:
    """The values and the type of each column, as JSON has them; rows that lack a whole number or a boolean left out."""
    strict = [field.name for field in rows.schema if pa.types.is_integer(field.type) or pa.types.is_boolean(field.type)]
    for name in strict:
        rows = rows.filter(pc.is_valid(rows[name]))
    return {field.name: (rows[field.name].to_pylist(), _numpy_name(field)) for field in rows.schema}


def _numpy_name(field: pa.Field) -> str:
    if pa.types.is_string(field.type):
        return "object"
    if pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_boolean(field.type):
        return str(field.type.to_pandas_dtype().__name__).rstrip("_")
    raise ConfigError(
        f"the column {field.name} of reasons.background is a {field.type}",
        "numbers, texts and booleans",
        "remove reasons.background",
    )


def _build_mlmodel(described: Mapping[str, Any], output: pa.DataType) -> dict[str, Any]:
    """The MLmodel file of the copy."""
    flavors = described["flavors"]
    own = {name: value for name, value in flavors[_PYFUNC].items() if name not in _OWN_KEYS}
    outputs = [{**_to_column_spec(one.type), "name": one.name, "required": True} for one in output]
    return {
        **described,
        "flavors": {**flavors, _PYFUNC: {**own, "loader_module": REASONS_LOADER}},
        "signature": {**described["signature"], "outputs": json.dumps(outputs)},
    }


def _to_column_spec(kind: pa.DataType) -> dict[str, Any]:
    """As a column of MLflow's signature."""
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return {"type": "array", "items": _to_column_spec(kind.value_type)}
    if pa.types.is_struct(kind):
        return {"type": "object", "properties": {one.name: _to_column_spec(one.type) for one in kind}}
    if kind not in _MLFLOW_NAMES:
        raise ModelError(
            f"reasons of a model that returns {kind}",
            "numbers, texts or lists of them",
            "leave `reasons` out of the config",
        )
    return {"type": _MLFLOW_NAMES[kind]}


def _write_copy(source: Path, mlmodel: Mapping[str, Any], request: ReasonsRequest, workplace: Path) -> Path:
    folder = workplace / "model"
    shutil.copytree(source, folder, copy_function=_link_file)
    for name, text in (("MLmodel", yaml.safe_dump(mlmodel, sort_keys=True)), (REASONS_FILE, request.to_json())):
        (folder / name).unlink(missing_ok=True)  # else the model's own file is written, which it is a link to
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def _link_file(source: str, target: str) -> None:
    """A second name of the same file, where the disk can: models are large."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
