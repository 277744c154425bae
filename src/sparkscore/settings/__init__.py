"""Settings: what a job is told, by files, environment and flags. Imports nothing heavy."""

from sparkscore.settings.job import Settings

__all__ = ["Settings"]
