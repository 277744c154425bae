"""Settings of a job, from files, environment and flags. Imports nothing heavy."""

from sparkscore.settings.job_settings import Settings
from sparkscore.settings.monitor_settings import DriftSettings, SlaSettings
from sparkscore.settings.scoring_settings import ModelSettings
from sparkscore.settings.table_settings import TableSettings

__all__ = ["DriftSettings", "ModelSettings", "Settings", "SlaSettings", "TableSettings"]
