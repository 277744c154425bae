"""Settings of a job, from files, environment and flags. Imports nothing heavy.

Lazy, so that executors, which read YAML by a module of this package, need none of what the settings are made with.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkscore.settings.job_settings import Settings
    from sparkscore.settings.model_settings import ModelSettings
    from sparkscore.settings.monitor_settings import DriftSettings, SlaSettings
    from sparkscore.settings.table_settings import TableSettings
    from sparkscore.settings.trust_settings import TrustSettings

__all__ = ["DriftSettings", "ModelSettings", "Settings", "SlaSettings", "TableSettings", "TrustSettings"]

_HOMES = {
    "DriftSettings": "monitor_settings",
    "ModelSettings": "model_settings",
    "Settings": "job_settings",
    "SlaSettings": "monitor_settings",
    "TableSettings": "table_settings",
    "TrustSettings": "trust_settings",
}


def __getattr__(name: str) -> Any:
    """A class of settings, imported at its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sparkscore.settings' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"sparkscore.settings.{_HOMES[name]}"), name)
