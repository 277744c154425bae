"""Limits of a signature, held before it is parsed: what it says is the model author's word."""

import json
import re
from collections.abc import Mapping
from math import prod
from typing import Any

from sparkscore.errors import SignatureError

_MAX_LEVELS = 64
_MAX_DIMENSIONS = 32
_MAX_VALUES = 100_000_000
"""Values of one row of a tensor."""
_MAX_COLUMNS = 100_000
_TEXT_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def check_signature_limits(mlmodel: Mapping[str, Any]) -> None:
    """Refuse a signature that would exhaust the process that reads it.

    Runs on: driver | executor.
    Raises:  SignatureError.
    """
    signature = mlmodel.get("signature")
    for side in ("inputs", "outputs", "params") if isinstance(signature, Mapping) else ():
        text = signature.get(side)  # type: ignore[union-attr]  # a mapping here
        if isinstance(text, str):
            _refuse_levels(text, side)
            _check_specs(text, side)


def _refuse_levels(text: str, side: str) -> None:
    level = 0
    for found in _TEXT_OR_BRACKET.finditer(text):
        level += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if level > _MAX_LEVELS:
            raise _limit_error(f"{side} nested more than {_MAX_LEVELS} levels deep")


def _check_specs(text: str, side: str) -> None:
    try:
        specs = json.loads(text)
    except ValueError:  # no JSON: whoever parses the signature says so
        return
    if isinstance(specs, list):
        if len(specs) > _MAX_COLUMNS:
            raise _limit_error(f"{len(specs):,} {side}")
        for spec in specs:
            _check_tensor(spec, side, is_alone=len(specs) == 1)


def _check_tensor(spec: object, side: str, *, is_alone: bool) -> None:
    tensor = spec.get("tensor-spec") if isinstance(spec, Mapping) else None
    shape = tensor.get("shape") if isinstance(tensor, Mapping) else None
    if not isinstance(shape, list) or not all(isinstance(size, int) for size in shape):
        return
    row = [size for size in shape[1:] if size > 0]
    # without a name each value is an input of its own
    is_wide = side == "inputs" and is_alone and len(row) == 1 and prod(row) > _MAX_COLUMNS
    if len(shape) > _MAX_DIMENSIONS or prod(row) > _MAX_VALUES or is_wide:
        sizes = ", ".join(str(size) for size in shape[:5]) + (", …" if len(shape) > 5 else "")
        raise _limit_error(f"a tensor of {len(shape)} dimensions ({sizes}) in {side}")


def _limit_error(found: str) -> SignatureError:
    return SignatureError(
        f"the model's signature has {found}",
        f"at most {_MAX_LEVELS} levels, {_MAX_COLUMNS:,} columns, {_MAX_DIMENSIONS} dimensions and {_MAX_VALUES:,}"
        " values in a row",
        "log the model with the signature that it has",
    )
