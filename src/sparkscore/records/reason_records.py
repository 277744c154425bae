"""Reasons of predictions: what is asked of a model, and the file in its folder that says so."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

REASONS_LOADER = "sparkscore.workloads.reasons.explained_model"
"""The module that loads a model whose predictions have reasons."""
REASONS_FILE = "reasons.json"
"""In its folder: a `ReasonsRequest`."""


@dataclass(frozen=True, slots=True)
class ReasonsRequest:
    """How a model is loaded, and how its predictions are explained."""

    top: int
    """How many features each row names, at most."""
    inputs: tuple[str, ...]
    """Names of the model's inputs, in its order."""
    hidden: tuple[str, ...]
    """Inputs of sensitive columns: neither their names nor their contributions are shown."""
    loader: str
    """The module that loads the model that is explained."""
    data: str
    """What it loads, relative to the folder."""
    predict_fn: str
    """The function of it that predicts."""
    background: Mapping[str, list[Any]] | None = None
    """Columns of rows whose average is the base of a linear model, by input."""
    background_types: Mapping[str, str] = field(default_factory=dict)
    """Their types, as numpy names them."""

    def to_json(self) -> str:
        """The content of the file; equal requests give equal texts."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "ReasonsRequest":
        """What the file says."""
        parts = json.loads(text)
        lists = {name: tuple(parts[name]) for name in ("inputs", "hidden")}
        return cls(**{**parts, **lists})
