"""Connections to databases by their ADBC drivers, and their errors without secrets."""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from sparkscore.errors import MESSAGE_HIDDEN, ConfigError, ExportFailed
from sparkscore.redaction.known_secrets import register_secret, register_uri_secrets
from sparkscore.redaction.secret_patterns import shorten_redacted

_DRIVERS = {"postgresql": "adbc_driver_postgresql", "snowflake": "adbc_driver_snowflake"}
_EXTRAS = {name: kind for kind, name in _DRIVERS.items()}
_CONNECT_TIMEOUT_S = 15
_LOCK_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """How a database is reached. Holds secrets."""

    kind: str
    """postgresql, snowflake, or adbc for any other driver."""
    driver: str
    """The driver's Python package."""
    uri: str = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    hides_values: bool = False
    """What a server says of a statement may quote values, and is not shown."""

    @property
    def description(self) -> str:
        """The database, without secrets."""
        try:
            parts = urlsplit(self.uri)
            host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
        except ValueError:
            return self.kind
        return f"{parts.scheme or self.kind}://{host}{port}{parts.path}"


def find_address(
    kind: str,
    driver: str | None,
    uri: tuple[str | None, str | None],
    options: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
) -> DatabaseAddress:
    """The address that settings name, `uri` and `options` each as they are and by environment variables.

    Raises:  ConfigError for variables that are not set, for a URI of another form, and without the driver.
    """
    plain, variable = uri
    found = plain if plain is not None else _read_variable(variable or "")
    register_uri_secrets(found)
    _require_scheme(kind, found)
    secret = {name: _read_variable(named) for name, named in options[1].items()}
    for value in secret.values():
        register_secret(value)
    module = driver or _DRIVERS[kind]
    _load_driver(module)
    return DatabaseAddress(kind, module, found, {**options[0], **secret})


@contextmanager
def open_connection(address: DatabaseAddress) -> Iterator[Any]:
    """A connection with transactions; what was not committed when the block ends is not done.

    Raises:  ExportFailed, also for whatever the database says inside of the block.
    """
    driver = _load_driver(address.driver)
    try:
        connection = _connect(driver, address)
        try:
            _set_timeouts(address, connection)
            yield connection
        finally:
            with suppress(Exception):
                connection.rollback()
            with suppress(Exception):
                connection.close()
    except driver.Error as error:
        raise ExportFailed(
            f"{address.description}: {_describe_error(address, error)}", "", ExportFailed.remedy
        ) from None


def _describe_error(address: DatabaseAddress, error: Any) -> str:
    state = getattr(error, "sqlstate", None)
    if address.hides_values and state:
        return f"a statement failed with SQLSTATE {state}; {MESSAGE_HIDDEN}"
    return shorten_redacted(" ".join(str(error).split()), 500)


def _read_variable(name: str) -> str:
    value = os.environ.get(name, "")
    if not value.strip():
        raise ConfigError(
            f"the environment variable {name} is not set, and an export takes its connection from it",
            "the URI of the database, with user and password",
            f"set {name} where the job runs",
        )
    return value


def _require_scheme(kind: str, uri: str) -> None:
    schemes = {"postgresql": ("postgresql", "postgres"), "snowflake": ("snowflake",)}.get(kind)
    if schemes is not None and not uri.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ConfigError(
            f"the URI of a {kind} export, which is not shown, begins otherwise",
            f"a URI that begins with {schemes[0]}://",
            "correct it: user and password stand before the host, as in user:password@host",
        )


def _load_driver(module: str) -> Any:
    try:
        return import_module(f"{module}.dbapi")
    except ImportError as error:
        extra = _EXTRAS.get(module)
        raise ConfigError(
            f"the ADBC driver {module} cannot be imported: {error}",
            "the driver, installed where the job's driver runs",
            f'pip install "sparkscore[{extra}]"' if extra else f"install the package that brings {module}",
        ) from error


def _connect(driver: Any, address: DatabaseAddress) -> Any:
    """A connection that commits when it is told to: of a driver that cannot, ADBC only warns."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        connection = driver.connect(*_connect_arguments(address), **_connect_options(address))
    if any("autocommit" in str(one.message) for one in warned):
        connection.close()
        raise ConfigError(
            f"the ADBC driver {address.driver} has no transactions: readers could see half of an export",
            "a driver with transactions",
            "export to parquet, and let the database read that",
        )
    return connection


def _connect_arguments(address: DatabaseAddress) -> tuple[str, ...]:
    if address.kind == "postgresql" and "connect_timeout" not in address.uri:
        separator = "&" if "?" in address.uri else "?"
        return (f"{address.uri}{separator}connect_timeout={_CONNECT_TIMEOUT_S}",)
    return (address.uri.removeprefix("snowflake://"),)


def _connect_options(address: DatabaseAddress) -> dict[str, Any]:
    return {"db_kwargs": dict(address.options)} if address.options else {}


def _set_timeouts(address: DatabaseAddress, connection: Any) -> None:
    if address.kind == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT_S}s'")
        connection.commit()
