"""Settings: what a job is told, by files, environment and flags. Imports nothing heavy."""

from sparkscore.settings.job_settings import DriftSettings, Settings, SlaSettings

__all__ = ["DriftSettings", "Settings", "SlaSettings"]
