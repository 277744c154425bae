"""Settings for commands on a table without a job: no setting is required."""

from pydantic import Field

from sparkscore.settings.job_settings import JOB_NAME, JOB_NAME_EXTRA, Settings
from sparkscore.settings.model_settings import ModelSettings
from sparkscore.settings.output_settings import OutputSettings
from sparkscore.settings.source_settings import SourceSettings


class _AnySource(SourceSettings):
    """Which columns of the table are keys or sensitive; none by default."""

    table: str = ""
    keys: tuple[str, ...] = ()


class _AnyModel(ModelSettings):
    """No model."""

    uri: str = ""


class _AnyOutput(OutputSettings):
    """No predictions."""

    table: str = ""


class TableSettings(Settings):
    """Settings without a complete job: only `home`, `source.keys` and `source.sensitive` matter."""

    job: str = Field(default="", pattern=JOB_NAME, validate_default=False, json_schema_extra=JOB_NAME_EXTRA)
    source: _AnySource = _AnySource()
    model: _AnyModel = _AnyModel()
    output: _AnyOutput = _AnyOutput()
