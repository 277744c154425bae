"""Sends lineage events in the background, in order. Whatever the other side does, no run fails or waits long for it."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ClassVar

from sparkscore.errors import ConfigError
from sparkscore.redaction.secret_patterns import mask_secrets, shorten_redacted
from sparkscore.settings.lineage_settings import LineageSettings

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import RunEvent as LineageEvent

_THREAD_NAME = "sparkscore-lineage"
_RETRIES = 2
_MOST_STUCK = 4
_CONFIG_FILE = "openlineage.yml"
_PREFIX = "OPENLINEAGE__TRANSPORT"


def check_lineage_target(settings: LineageSettings, environ: Mapping[str, str]) -> None:
    """Refuse events that nothing can send, or that have no target, before a run costs anything.

    Raises:  ConfigError.
    """
    if find_spec("openlineage") is None or find_spec("openlineage.client") is None:
        raise ConfigError(
            "lineage.enabled is true, and openlineage-python is not installed",
            "the extra lineage of sparkscore",
            'pip install "sparkscore[lineage]", or leave lineage.enabled out',
        )
    if settings.topic is not None and find_spec("confluent_kafka") is None:
        raise ConfigError(
            "lineage.topic is set, and confluent-kafka is not installed",
            "the client of Kafka",
            "pip install confluent-kafka",
        )
    if not _has_target(settings, environ):
        raise ConfigError(
            "lineage.enabled is true, and nothing says where the events go",
            "lineage.url, lineage.file or lineage.topic, or OpenLineage's own configuration: OPENLINEAGE_URL,"
            f" OPENLINEAGE_CONFIG, {_CONFIG_FILE} in the working folder or in ~/.openlineage",
            "set one of them, or leave lineage.enabled out",
        )


def _has_target(settings: LineageSettings, environ: Mapping[str, str]) -> bool:
    if settings.url or settings.file or settings.topic or environ.get("OPENLINEAGE_URL"):
        return True
    files = [environ.get("OPENLINEAGE_CONFIG") or "", _CONFIG_FILE, str(Path.home() / ".openlineage" / _CONFIG_FILE)]
    return any(name.startswith(_PREFIX) for name in environ) or any(file and Path(file).is_file() for file in files)


def to_transport_config(settings: LineageSettings) -> dict[str, Any] | None:
    """The target as OpenLineage's client has it; None: its own configuration names it."""
    if settings.url is not None:
        key = settings.api_key
        auth = {} if key is None else {"auth": {"type": "api_key", "apiKey": key.get_secret_value()}}
        endpoint = {} if settings.endpoint is None else {"endpoint": settings.endpoint}
        retry = {"total": _RETRIES, "connect": _RETRIES, "read": _RETRIES}
        base = settings.url.rstrip("/") + "/"
        return {"type": "http", "url": base, "timeout": settings.timeout, "retry": retry, **auth, **endpoint}
    if settings.file is not None:
        return {"type": "file", "log_file_path": settings.file, "append": True}
    if settings.topic is not None:
        return {"type": "kafka", "topic": settings.topic, "config": dict(settings.kafka), "flush": False}
    return None


def open_lineage_client(settings: LineageSettings) -> "OpenLineageClient":
    """OpenLineage's client for the target. Its filters, tags and environment facets are those of its own configuration.

    Needs:   the extra lineage.
    """
    from openlineage.client import OpenLineageClient
    from openlineage.client.transport import get_default_factory

    config = to_transport_config(settings)
    if settings.file is not None:
        Path(settings.file).parent.mkdir(parents=True, exist_ok=True)
    return OpenLineageClient(transport=None if config is None else get_default_factory().create(config))


class LineageDelivery:
    """Events on their way, in a thread that ends with the process at the latest."""

    _stuck: ClassVar[list[threading.Thread]] = []
    """Of earlier attempts of this process, that nobody waits for any more: a stream has thousands."""

    def __init__(self, settings: LineageSettings) -> None:
        self._settings, self._problem = settings, ""
        self._events: SimpleQueue[Callable[[], LineageEvent] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=_THREAD_NAME, daemon=True)
        self._until = 0.0

    def send(self, build: Callable[[], "LineageEvent"]) -> None:
        """Send what `build` makes, after what is on its way. Returns at once."""
        if self._thread.ident is None:
            self._stuck[:] = [thread for thread in self._stuck if thread.is_alive()]
            if len(self._stuck) >= _MOST_STUCK:
                self._problem = "those of earlier runs are still on their way"
                return
            self._thread.start()
        self._events.put(build)

    def close(self) -> str | None:
        """Wait until all is sent, `lineage.timeout` seconds at most; in words, what was not. Never raises."""
        if self._thread.ident is None:
            return self._problem or None
        self._until = time.monotonic() + self._settings.timeout
        self._events.put(None)
        self._thread.join(timeout=self._settings.timeout)
        if self._thread.is_alive():
            self._stuck.append(self._thread)
            return self._problem or f"no answer within {self._settings.timeout:g} s"
        return self._problem or None

    def _run(self) -> None:
        client: OpenLineageClient | None = None
        while (build := self._events.get()) is not None:
            try:
                client = client or open_lineage_client(self._settings)
                client.emit(mask_texts(build()))
            except Exception as error:  # noqa: BLE001  whatever it is, it is no reason to fail a run
                self._note(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")
        with suppress(Exception):
            if client is not None and not client.close(max(0.0, self._until - time.monotonic())):
                self._note(f"not taken within {self._settings.timeout:g} s")

    def _note(self, problem: str) -> None:
        self._problem = shorten_redacted(problem, 300)


def mask_texts(value: Any) -> Any:
    """An event, or a part of it, without secrets in any of its texts; the event itself is changed."""
    if isinstance(value, str):
        return mask_secrets(value)
    if isinstance(value, dict):
        return {name: mask_texts(one) for name, one in value.items()}
    if isinstance(value, list):
        return [mask_texts(one) for one in value]
    for field in getattr(type(value), "__attrs_attrs__", ()):
        setattr(value, field.name, mask_texts(getattr(value, field.name)))
    return value


def job_namespace(settings: LineageSettings) -> str:
    """The namespace of the job in the events."""
    return settings.namespace or os.environ.get("OPENLINEAGE_NAMESPACE") or "default"
