"""Finds where a step function steps, to the last bit of a double."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sparkscore.model.signature.numpy_inputs import NumpyArray

_MAX_STEPS = 4096
_MAX_HALVINGS = 70
_SIGN = np.int64(-(2**63))


class NotStepwiseError(Exception):
    """The function has more steps than anybody would make."""


def find_step_ends(function: Callable[[Any], NumpyArray], rows: Any) -> tuple[NumpyArray, NumpyArray]:
    """The last double of each step but the last one, and a double inside of each step.

    Needs:   a function of finite doubles, element by element, that only rises or only falls; `rows`, values to begin
             with.
    Raises:  NotStepwiseError.
    """
    given = np.asarray(rows, dtype=np.float64)
    probes = np.unique(np.concatenate([given[np.isfinite(given)][:2000], [-1e300, -1.0, 0.0, 1.0, 1e300]]))
    values = function(probes)
    for _ in range(_MAX_HALVINGS):
        if len(np.unique(values)) > _MAX_STEPS:
            raise NotStepwiseError(f"more than {_MAX_STEPS:,} steps")
        order = _to_order(probes)
        differ = np.flatnonzero((values[1:] != values[:-1]) & (order[1:] - 1 != order[:-1]))
        if not len(differ):
            break
        # halves that do not overflow
        middle = (order[differ] >> 1) + (order[differ + 1] >> 1) + (order[differ] & order[differ + 1] & 1)
        halves = _from_order(middle)
        found = np.concatenate([probes, halves])
        values = np.concatenate([values, function(halves)])[np.argsort(found, kind="stable")]
        probes = np.sort(found)
        probes, values = _keep_borders(probes, values)
    steps = np.flatnonzero(values[1:] != values[:-1])
    return probes[steps], np.append(probes[steps], probes[-1])


def _keep_borders(probes: NumpyArray, values: NumpyArray) -> tuple[NumpyArray, NumpyArray]:
    """Of each step its first and its last probe."""
    changes = values[1:] != values[:-1]
    kept = np.concatenate([[True], changes]) | np.concatenate([changes, [True]])
    return probes[kept], values[kept]


def _to_order(doubles: NumpyArray) -> NumpyArray:
    """Whole numbers in the order of doubles: neighbours differ by one."""
    bits = doubles.astype(np.float64).view(np.int64)
    return np.where(bits < 0, _SIGN - bits, bits)


def _from_order(order: NumpyArray) -> NumpyArray:
    return np.where(order < 0, _SIGN - order, order).astype(np.int64).view(np.float64)
