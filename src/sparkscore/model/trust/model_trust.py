"""Decides whether a model may be loaded: by where it comes from, and by its files. Nothing of it is imported.

Light: executors decide once more before they load.
"""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from sparkscore.errors import TrustRefused
from sparkscore.model.trust.file_formats import ModelFile, list_model_files
from sparkscore.model.trust.flavor_loading import find_declared_loading
from sparkscore.model.trust.inspected_model import Finding, FindingKind, InspectedModel
from sparkscore.model.trust.onnx_references import refuse_outside_weights
from sparkscore.records import TrustPolicy

_OWN_FILES = frozenset(
    {
        "MLmodel",
        "conda.yaml",
        "environment_variables.txt",
        "estimator.html",
        "input_example.json",
        "python_env.yaml",
        "requirements.txt",
        "serving_input_example.json",
    }
)
"""What MLflow adds to every model, and no loader of a format reads."""
_CONSEQUENCES: Mapping[FindingKind, str] = {
    "code": "runs code that it brings",
    "pickle": "runs what its author wrote into a pickle",
    "downloads": "fetches what its digest does not cover",
}
_ALTERNATIVES: Mapping[FindingKind, str] = {
    "code": "log it without code of its own",
    "pickle": "log it in a format that holds data alone, such as skops or ONNX",
    "downloads": "log it with all of its weights",
}
_SHOWN = 3


def check_model_origin(trust: TrustPolicy, *, name: str, uris: Sequence[str]) -> None:
    """Refuse a registry or a name that the settings do not list. Asks nobody.

    Runs on: driver.
    Raises:  TrustRefused.
    """
    for uri in dict.fromkeys(map(_without_user_info, uris)):
        _refuse_unlisted(f"the model's registry is {uri}", uri, trust.registries, "registries")
    _refuse_unlisted(f"the model's name is {name}", name, trust.names, "names")


def check_model_digest(trust: TrustPolicy, digest: str) -> None:
    """Refuse files of another digest than the settings list.

    Runs on: driver | executor.
    Raises:  TrustRefused.
    """
    if trust.digests is not None and digest not in trust.digests:
        raise TrustRefused(
            f"the model's files have the digest {digest}",
            f"one of those in model.trust.digest: {', '.join(trust.digests) or 'none'}",
            "find out who changed the model, or list the digest",
        )


def check_training_table(trust: TrustPolicy, table: str) -> str | None:
    """What to warn of before a table is read that a model's author has named as its training data.

    Runs on: driver.
    Raises:  TrustRefused where the settings do not list it.
    """
    _refuse_unlisted(f"the author of the model names {table} as its training data", table, trust.tables, "tables")
    if trust.tables is not None:
        return None
    return (
        f"the baseline is read from {table}, which the author of the model named: its most frequent values are kept in"
        " the table of profiles and shown in the report; list the tables that may be read so in model.trust.tables"
    )


def judge_model(folder: str | Path, trust: TrustPolicy, mlmodel: Mapping[str, Any]) -> tuple[str, ...]:
    """What to warn of before a model is loaded, one text for each kind.

    Needs:   plain files alone (`compute_model_digest`); `mlmodel` as `read_mlmodel` gives it, or of it the flavour
             that is loaded without MLflow.
    Runs on: driver | executor.
    Raises:  TrustRefused.
    """
    files = list_model_files(folder)
    model = InspectedModel(Path(folder), mlmodel["flavors"], files, trust.loaders or ())
    findings = [*find_declared_loading(model), *_find_in_files(files)]
    warnings = tuple(warning for kind in get_args(FindingKind) for warning in _react_to_findings(trust, kind, findings))
    weights = {name for file in files if file.format == "onnx" for name in _weights_of(file, Path(folder))}
    if trust.formats is not None:
        _refuse_formats([file for file in files if file.name not in weights], trust.formats)
    return warnings


def _weights_of(file: ModelFile, folder: Path) -> tuple[str, ...]:
    return refuse_outside_weights(folder / file.name, folder)


def _find_in_files(files: Sequence[ModelFile]) -> Iterator[Finding]:
    code = [file.name for file in files if file.is_code]
    pickles = [file.name for file in files if file.is_pickle]
    if code:
        yield Finding("code", f"code is in {_list_some(code)}")
    if pickles:
        yield Finding("pickle", f"pickles are in {_list_some(pickles)}")


def _react_to_findings(trust: TrustPolicy, kind: FindingKind, findings: Sequence[Finding]) -> Iterator[str]:
    found = list(dict.fromkeys(finding.text for finding in findings if finding.kind == kind))
    reaction = getattr(trust, kind)
    if not found or reaction == "allow":
        return
    text = f"the model {_CONSEQUENCES[kind]} when it is loaded: {'; '.join(found)}"
    if reaction == "refuse":
        raise TrustRefused(
            text,
            f"a model without that: model.trust.{kind} is refuse",
            f"{_ALTERNATIVES[kind]}; or set model.trust.{kind} to allow if you trust its author",
        )
    yield (
        f"{text}; if you trust its author, set model.trust.{kind} to allow, else {_ALTERNATIVES[kind]}, and set it"
        " to refuse"
    )


def _refuse_formats(files: Sequence[ModelFile], formats: Sequence[str]) -> None:
    other = [file for file in files if file.format not in formats and not _is_own_file(file)]
    if other:
        raise TrustRefused(
            f"the model has files of other formats: {_list_some([f'{file.name} ({file.format})' for file in other])}",
            f"files of {', '.join(formats) or 'none'}, as in model.trust.formats",
            "log it in one of these formats, or list what it has",
        )


def _is_own_file(file: ModelFile) -> bool:
    return file.name in _OWN_FILES and file.format in ("json", "text")


def _refuse_unlisted(found: str, value: str, patterns: Sequence[str] | None, setting: str) -> None:
    if patterns is not None and not any(fnmatchcase(value, pattern) for pattern in patterns):
        raise TrustRefused(
            found,
            f"one that model.trust.{setting} lists: {', '.join(patterns) or 'none is listed'}",
            f"list it in model.trust.{setting} if you trust it",
        )


def _without_user_info(uri: str) -> str:
    parts = urlsplit(uri)
    return uri if "@" not in parts.netloc else parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _list_some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
