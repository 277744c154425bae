"""Which packages a Python has. Light: an executor tells what it has, the driver compares it."""

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

SAME_MODULE: Mapping[str, tuple[str, ...]] = {
    "mlflow": ("mlflow-skinny",),
    "onnxruntime": ("onnxruntime-gpu", "onnxruntime-directml"),
    "onnxruntime-gpu": ("onnxruntime",),
    "psycopg2": ("psycopg2-binary",),
    "tensorflow": ("tensorflow-cpu", "tensorflow-intel", "tensorflow-macos"),
    "xgboost": ("xgboost-cpu",),
}
"""Packages that bring the same modules as another."""


@dataclass(frozen=True, slots=True)
class InstalledPackages:
    """What a Python has of the packages that it was asked for."""

    versions: Mapping[str, str]
    """By name, without those that are not installed."""
    markers: Mapping[str, str]
    """What requirements may depend on, as `sys_platform`, by their names there."""

    @classmethod
    def from_dict(cls, parts: Mapping[str, Any]) -> "InstalledPackages":
        """What another Python has told as JSON."""
        return cls(dict(parts["versions"]), dict(parts["markers"]))

    def find_version(self, name: str) -> str | None:
        """The version of a package, or of one that brings the same modules; None where none is installed."""
        found = (self.versions.get(one) for one in (name, *SAME_MODULE.get(name, ())))
        return next((one for one in found if one is not None), None)


def read_installed_packages(names: Iterable[str]) -> InstalledPackages:
    """What this process could import of the packages, and of those that bring the same modules.

    Runs on: driver | executor.
    """
    asked = dict.fromkeys(one for name in names for one in (name, *SAME_MODULE.get(name, ())))
    found = {name: _find_own_version(name) for name in asked}
    return InstalledPackages({name: one for name, one in found.items() if one is not None}, read_marker_values())


def read_marker_values() -> dict[str, str]:
    """What requirements may depend on, of this Python: the variables of PEP 508."""
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": platform.python_version(),
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }


def _find_own_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
