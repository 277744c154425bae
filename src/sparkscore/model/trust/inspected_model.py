"""What is known of a model before it is loaded, and what it is found to do on loading. Light."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sparkscore.errors import TrustRefused
from sparkscore.model.trust.file_formats import ModelFile

FindingKind = Literal["code", "pickle", "downloads"]
_MAX_JSON_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a model does when it is loaded."""

    kind: FindingKind
    text: str


@dataclass(frozen=True, slots=True)
class InspectedModel:
    """What is known of a model before it is loaded."""

    folder: Path
    flavors: Mapping[str, Any]
    files: tuple[ModelFile, ...]
    modules: Collection[str]
    """Modules beside MLflow's own that the operator allows to load a model."""

    def find_files(self, *names: str) -> list[ModelFile]:
        """Its files of these names, in whichever folder."""
        return [file for file in self.files if file.name.rpartition("/")[2] in names]


def check_named_module(
    model: InspectedModel, name: object, where: str, packages: Collection[str], modules: Collection[str] = ()
) -> None:
    """Refuse a module that is imported because the model's author has named it."""
    known = isinstance(name, str) and (name in modules or name in model.modules or name.partition(".")[0] in packages)
    if not known:
        expected = ", ".join((*modules, *(f"{package}.…" for package in packages)))
        raise TrustRefused(
            f"{where} of the model names the module {str(name)!r:.100}, which would be imported",
            f"one of {expected}",
            "log the model with one of these, or list the module in model.trust.loaders if you trust it",
        )


def read_model_json(model: InspectedModel, file: ModelFile) -> Any:
    """What is in a file of JSON; None where it is none.

    Raises:  TrustRefused for one that is too large to be read.
    """
    path = model.folder / file.name
    if path.stat().st_size > _MAX_JSON_BYTES:
        raise TrustRefused(
            f"{file.name} of the model has {path.stat().st_size:,} bytes",
            f"at most {_MAX_JSON_BYTES:,} of JSON",
            "log the model again",
        )
    try:
        with path.open("rb") as content:
            return json.loads(content.read())
    except (ValueError, RecursionError):
        return None
