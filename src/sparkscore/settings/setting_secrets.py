"""Registers what is secret in settings before anything can go wrong with them, and refuses it where it has no place."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel

from sparkscore.redaction.known_secrets import is_secret_name, register_uri_secrets, register_webhook
from sparkscore.redaction.uri_credentials import has_uri_credentials
from sparkscore.settings.layers import iterate_setting_fields
from sparkscore.settings.strict_yaml import PlainScalar

_WEB_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_TABLE_SETTINGS = ("source.table", "output.table", "labels.table")
_COLUMN_SETTINGS = ("model.inputs.", "labels.keys.")
"""Mappings of names, which may be `token` without being one."""


def register_layer_secrets(layer: Mapping[str, Any]) -> None:
    """Register what is secret in a layer of settings, whether or not it is valid: by names, and in URIs."""
    for name, text in _iterate_texts(layer, ""):
        register_uri_secrets(text)
        is_webhook = _WEB_ADDRESS.search(text) is not None and "hook" in f"{name} {text}".lower()
        if is_webhook or (is_secret_name(name) and not name.startswith(_COLUMN_SETTINGS)):
            register_webhook(text)


def require_safe_webhook(url: str, *, what: str = "the URL") -> None:
    """Refuse a URL that is none, or with which a secret would travel in the clear. `what`: that secret.

    Raises:  ValueError, which does not show the URL.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("expected a URL that begins with https:// and names a host; what was found is not shown")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError(
            f"{what} is a secret, and http would send it to {host} in the clear; use https,"
            " or a relay on this machine (http://127.0.0.1)"
        )


def find_paths_with_credentials(settings: BaseModel) -> list[str]:
    """The settings that name a table, a folder or a file by a URI with credentials in it."""
    return [name for name in _path_names(type(settings)) if has_uri_credentials(_value_of(settings, name))]


def _path_names(settings: type[BaseModel]) -> Iterator[str]:
    for name, info in iterate_setting_fields(settings):
        extra = info.json_schema_extra
        if name in _TABLE_SETTINGS or (isinstance(extra, dict) and extra.get("path")):
            yield name


def _value_of(settings: BaseModel, name: str) -> str:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value if isinstance(value, str) else ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _iterate_texts(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Each text in a layer, with the dotted name of what it is for."""
    if isinstance(value, Mapping):
        for inner, one in value.items():
            yield from _iterate_texts(one, f"{name}.{inner}".lstrip("."))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _iterate_texts(one, name)
    elif isinstance(value, PlainScalar):
        yield name, value.text
    elif isinstance(value, str):
        yield name, value
