"""The signature that the config gives to a model that was logged without one. Runs on the driver."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sparkscore.errors import SignatureError
from sparkscore.settings.signature_notation import from_signature_specs

_SIDES = ("inputs", "outputs")


def declare_signature(mlmodel: Mapping[str, Any], declared: Mapping[str, str] | None) -> Mapping[str, Any]:
    """The content of the MLmodel file, with the sides of the signature that it lacks.

    `declared`: side -> MLflow's JSON.

    Raises:  SignatureError where the model says something else.
    """
    if not declared:
        return mlmodel
    own = mlmodel.get("signature") or {}
    problems = [
        f"{side}: {problem}"
        for side, text in declared.items()
        if _load_specs(own.get(side))
        for problem in _signature_differences(_load_specs(own.get(side)), _load_specs(text))
    ]
    if problems:
        raise SignatureError(
            f"model.signature differs from the signature that the model has: {'; '.join(problems)}",
            "the model's own signature",
            "leave model.signature out: it is for models that were logged without one",
        )
    missing = {side: text for side, text in declared.items() if not _load_specs(own.get(side))}
    return {**mlmodel, "signature": {**own, **missing}}


def refuse_missing_signature(mlmodel: Mapping[str, Any], folder: str | Path) -> None:
    """Refuse a model whose signature lacks a side, with a proposal from its input example where there is one.

    Raises:  SignatureError.
    """
    own = mlmodel.get("signature") or {}
    missing = [side for side in _SIDES if not _load_specs(own.get(side))]
    if not missing:
        return
    proposal = propose_signature(folder, mlmodel)
    shown = {side: proposal.get(side, "double") for side in missing}
    origin = " (from the model's input example)" if "inputs" in proposal and "inputs" in missing else ""
    raise SignatureError(
        f"no {' and no '.join(missing)} in the model's signature",
        "what the model takes and gives",
        "log the model with signature=mlflow.models.infer_signature(features, predictions), or say it in the config,"
        f" for example{origin}: model.signature: {json.dumps(shown)}",
    )


def propose_signature(folder: str | Path, mlmodel: Mapping[str, Any]) -> dict[str, Any]:
    """What a config may say as `model.signature`: the inputs by the input example that the model was logged with.

    Nothing of the model is imported: an example is JSON. Nothing where there is none, or none that can be read.
    """
    info = mlmodel.get("saved_input_example_info")
    path = info.get("artifact_path") if isinstance(info, Mapping) else None
    if not isinstance(path, str) or not Path(folder, path).resolve().is_relative_to(Path(folder).resolve()):
        return {}
    try:
        from mlflow.models import Model, infer_signature

        schema = infer_signature(Model.load(str(folder)).load_input_example(str(folder))).inputs
        return {"inputs": from_signature_specs(schema.to_dict())}
    except Exception:  # noqa: BLE001 -- whatever an author has left there: there is no proposal then
        return {}


def _load_specs(text: object) -> list[Mapping[str, Any]]:
    """Nothing for what cannot be read: whoever parses the signature says so."""
    try:
        specs = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return [{"type": "unreadable"}]
    return specs or []


def _signature_differences(own: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if len(own) != len(given):
        yield f"{len(own)} in the model, {len(given)} in the config"
        return
    for position, (one, other) in enumerate(zip(own, given, strict=True)):
        if _comparable_spec(one) != _comparable_spec(other):
            yield f"{position + 1}. is {_describe_spec(one)} in the model, {_describe_spec(other)} in the config"


def _comparable_spec(spec: Any) -> Any:
    """The spec with what MLflow leaves out where it is not said: required, and no name."""
    if isinstance(spec, list):
        return [_comparable_spec(one) for one in spec]
    if not isinstance(spec, Mapping):
        return spec
    inner = {name: _comparable_spec(one) for name, one in spec.items() if one is not None}
    return {**inner, "required": spec.get("required") is not False} if "type" in inner else inner


def _describe_spec(spec: Mapping[str, Any]) -> str:
    shown = from_signature_specs([spec])
    return shown if isinstance(shown, str) else json.dumps(shown)
