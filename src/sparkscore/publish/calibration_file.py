"""A calibration among a model's artifacts: JSON, read on the driver before the run."""

import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from sparkscore.errors import ConfigError, ModelError
from sparkscore.records import Interpolation, Sigmoid
from sparkscore.settings.output_names import suggest_output_name

_MAX_BYTES, _MAX_POINTS = 4 << 20, 10_000
_FORMS = '{"method": "isotonic", "x": [...], "y": [...]} or {"method": "platt", "slope": a, "intercept": b}'
_KEYS: Mapping[str, frozenset[str]] = {
    "isotonic": frozenset({"method", "x", "y"}),
    "platt": frozenset({"method", "slope", "intercept"}),
}


def read_calibration(folder: str, path: str) -> Interpolation | Sigmoid:
    """The calibration in a file of the model's folder. `isotonic`: points of a curve; `platt`: a sigmoid.

    Raises:  ConfigError for a path that the model does not have; ModelError for a file that holds something else.
    """
    content = _read_json(_locate_file(Path(folder).resolve(), path), path)
    if not isinstance(content, dict) or content.get("method") not in _KEYS:
        raise _unfit_error(path, "no calibration")
    method = content["method"]
    if content.keys() != _KEYS[method]:
        raise _unfit_error(path, f"the method {method} with {', '.join(sorted(map(str, content.keys() - {'method'})))}")
    if method == "platt":
        slope, intercept = _read_numbers([content["slope"], content["intercept"]], path)
        return Sigmoid(slope, intercept)
    return _build_curve(_read_numbers(content["x"], path), _read_numbers(content["y"], path), path)


def _build_curve(x: Sequence[float], y: Sequence[float], path: str) -> Interpolation:
    if len(x) != len(y) or not x or len(x) > _MAX_POINTS:
        raise _unfit_error(
            path, f"{len(x):,} numbers x and {len(y):,} numbers y (1 to {_MAX_POINTS:,}, as many of each)"
        )
    if not all(one < other for one, other in pairwise(x)):
        raise _unfit_error(path, "numbers x that do not ascend")
    return Interpolation(tuple(x), tuple(y))


def _locate_file(folder: Path, path: str) -> Path:
    found = (folder / path).resolve()
    if Path(path).is_absolute() or not found.is_relative_to(folder) or not found.is_file():
        files = [one.relative_to(folder).as_posix() for one in folder.rglob("*.json")]
        raise ConfigError(
            f"output.columns: calibrate names {path}, which is no file of the model{suggest_output_name(path, files)}",
            "the path of a JSON file in the model's folder",
            "correct the path, or log the model with the file among its artifacts",
        )
    return found


def _read_json(file: Path, path: str) -> Any:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise _unfit_error(path, f"{file.stat().st_size:,} bytes (at most {_MAX_BYTES:,})")
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unfit_error(path, f"no JSON ({type(error).__name__})") from error


def _read_numbers(values: object, path: str) -> list[float]:
    numbers = values if isinstance(values, list) else [None]
    if not all(isinstance(one, int | float) and not isinstance(one, bool) and _is_finite(one) for one in numbers):
        raise _unfit_error(path, "something else than finite numbers")
    return [float(one) + 0.0 for one in numbers if one is not None]


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(float(number))
    except OverflowError:
        return False


def _unfit_error(path: str, found: str) -> ModelError:
    return ModelError(
        f"the model's file {path}, which output.columns names as a calibration, holds {found}",
        _FORMS,
        "write the file in this form, and log the model again",
    )
