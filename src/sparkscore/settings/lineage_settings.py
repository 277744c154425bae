"""Settings of lineage events: whether, and where, runs tell what they read and wrote."""

import re
from typing import Self
from uuid import UUID

from pydantic import Field, SecretStr, field_validator, model_validator

from sparkscore.redaction.known_secrets import register_named_secrets, register_secret
from sparkscore.redaction.uri_credentials import has_uri_credentials
from sparkscore.settings.frozen_settings import RELATIVE_PATH_NOTE, FrozenSettings
from sparkscore.settings.layers import is_uri
from sparkscore.settings.setting_secrets import require_safe_webhook

_WEB_ADDRESS = re.compile(r"https?://[^/\s]+.*", re.IGNORECASE)
_SERVERS = "bootstrap.servers"


class LineageSettings(FrozenSettings):
    """Where lineage events go. Without `url`, `file` and `topic`: where OpenLineage's own configuration says."""

    enabled: bool = Field(default=False, description="send OpenLineage events of each run; needs the extra lineage")
    namespace: str | None = Field(
        default=None, description="namespace of the job in the events; default: OPENLINEAGE_NAMESPACE, else default"
    )
    url: str | None = Field(
        default=None, description="server that takes the events over HTTP: https://marquez.example.com"
    )
    endpoint: str | None = Field(default=None, description="path of the events at the server; default: api/v1/lineage")
    api_key: SecretStr | None = Field(
        default=None,
        description="API key of the server; a secret, so better in SPARKSCORE_LINEAGE__API_KEY",
        repr=False,
    )
    file: str | None = Field(
        default=None,
        description=f"file of the driver to which events are appended, one a line; {RELATIVE_PATH_NOTE}",
        json_schema_extra={"path": True},
    )
    topic: str | None = Field(default=None, description="Kafka topic that takes the events; needs confluent-kafka")
    kafka: dict[str, bool | int | float | str] = Field(
        default_factory=dict,
        repr=False,
        description="settings of the Kafka producer, as librdkafka names them: {bootstrap.servers: broker:9092}",
    )
    parent: str | None = Field(
        default=None,
        description="run that started this one: NAMESPACE/JOB/UUID; default: OPENLINEAGE_PARENT_ID, what Airflow gives"
        " spark-submit, and Airflow's variables",
    )
    timeout: float = Field(
        default=5.0, gt=0, le=600, description="seconds that the end of a run waits for events that are not sent yet"
    )

    @field_validator("url")
    @classmethod
    def _require_web_address(cls, url: str | None) -> str | None:
        if url is not None and (not _WEB_ADDRESS.fullmatch(url) or has_uri_credentials(url)):
            raise ValueError(
                "expected a URL that begins with https:// or http:// and holds no credentials; what was found is not"
                " shown; a key goes into lineage.api_key"
            )
        return url

    @field_validator("file")
    @classmethod
    def _require_local_file(cls, file: str | None) -> str | None:
        if file is not None and is_uri(file):
            raise ValueError("a URI; expected a file of the driver's machine, since object stores append to none")
        return file

    @field_validator("kafka")
    @classmethod
    def _register_secrets(cls, kafka: dict[str, bool | int | float | str]) -> dict[str, bool | int | float | str]:
        register_named_secrets(kafka)
        return kafka

    @field_validator("parent")
    @classmethod
    def _require_parent(cls, parent: str | None) -> str | None:
        if parent is not None:
            split_parent_id(parent)
        return parent

    @model_validator(mode="after")
    def _check_targets(self) -> Self:
        """One target at most, and no setting of another one."""
        named = [name for name in ("url", "file", "topic") if getattr(self, name) is not None]
        if len(named) > 1:
            raise ValueError(f"{' and '.join(named)}: events go to one of them")
        owners = {"endpoint": "url", "api_key": "url", "kafka": "topic"}
        idle = [name for name, owner in owners.items() if getattr(self, name) and owner not in named]
        if idle:
            raise ValueError(f"{', '.join(idle)} has no effect without {', '.join(owners[name] for name in idle)}")
        if self.topic is not None and _SERVERS not in self.kafka:
            raise ValueError(f"topic needs kafka: {{{_SERVERS}: host:port}}")
        if self.api_key is not None:
            register_secret(self.api_key.get_secret_value())
            require_safe_webhook(self.url or "")  # the key would travel in the clear
        return self


def split_parent_id(text: str) -> tuple[str, str, str]:
    """Namespace, job and run of `NAMESPACE/JOB/UUID`; a namespace may hold slashes.

    Raises:  ValueError.
    """
    *namespace, job, run = text.rsplit("/", 2)
    try:
        run_id = str(UUID(run))
    except ValueError:
        run_id = ""
    if not (namespace and namespace[0] and job and run_id):
        raise ValueError(f"{text!r} is not NAMESPACE/JOB/UUID")
    return namespace[0], job, run_id
