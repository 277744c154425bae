"""The shadow of a job: the same rows, model and config, with tables of its own, that tells nobody anything."""

from sparkscore.errors import ConfigError
from sparkscore.settings import DriftSettings, Settings, SlaSettings

SHADOW_SUFFIX = "_shadow"
"""Of the prediction table; `_runs`, `_rejects` and the others follow it."""
_JOB_SUFFIX = ".shadow"
_MOST_JOB_CHARACTERS = 128


def to_shadow_settings(settings: Settings, *, source_version: int | None) -> Settings:
    """The settings of the job's shadow: everything that it writes has another place, and it alerts and exports nothing.

    `source_version`: the one that production has read; None: as the config says.

    Raises:  ConfigError for a job whose name is too long for the suffix.
    """
    job = settings.job + _JOB_SUFFIX
    if len(job) > _MOST_JOB_CHARACTERS:
        raise ConfigError(
            f"the job's name has {len(settings.job)} characters, and its shadow's {len(_JOB_SUFFIX)} more",
            f"{_MOST_JOB_CHARACTERS} at most",
            "give --job a shorter name, with --shadow.against for production's table",
        )
    output, monitor = settings.output, settings.monitor
    source = (
        settings.source if source_version is None else settings.source.model_copy(update={"version": source_version})
    )
    return settings.model_copy(
        update={
            "job": job,
            "source": source,
            "output": output.model_copy(
                update={
                    "table": output.table.rstrip("/") + SHADOW_SUFFIX,
                    "stage": f"{settings.stage_uri}/shadow",
                    "exports": (),
                    "queue": None,
                    "feature_table": None,
                    "explode": {},
                    "retention_days": None,
                }
            ),
            "monitor": monitor.model_copy(update={"report": False, "metrics": None, "webhook": None, "mlflow": False}),
            "lineage": settings.lineage.model_copy(update={"enabled": False}),
            "drift": DriftSettings(),
            "sla": SlaSettings(),
            "challengers": (),
        }
    )
