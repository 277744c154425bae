"""Settings of the exports: copies of the visible rows for readers that do not read Delta."""

import re
from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from sparkscore.redaction.known_secrets import is_secret_name
from sparkscore.redaction.uri_credentials import has_uri_credentials
from sparkscore.settings.frozen_settings import RELATIVE_PATH_NOTE, FrozenSettings

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_FOLDERS = ("parquet", "csv")
_MAX_PARTS = 3


class ExportSettings(FrozenSettings):
    """A copy of the visible rows of each as_of, in a folder or in a table of a database."""

    name: str = Field(
        description="name of the export, as run events keep it",
        pattern=_NAME,
        json_schema_extra={"expected": "up to 63 letters, digits, dots, dashes and underscores"},
    )
    format: Literal["parquet", "csv", "postgresql", "snowflake", "adbc"] = Field(
        description="parquet or csv: files in a folder; postgresql, snowflake, adbc: a table of a database"
    )
    path: str | None = Field(
        default=None, description=f"folder of the files; {RELATIVE_PATH_NOTE}", json_schema_extra={"path": True}
    )
    table: str | None = Field(default=None, description="table of the database: [[catalog.]schema.]name")
    uri: str | None = Field(default=None, description="URI of the database, without user and password")
    uri_variable: str | None = Field(
        default=None, description="environment variable that holds the URI of the database, with user and password"
    )
    driver: str | None = Field(default=None, description="format adbc: Python package of the ADBC driver")
    options: dict[str, str] = Field(default_factory=dict, description="options of the ADBC driver that are no secrets")
    option_variables: dict[str, str] = Field(
        default_factory=dict,
        description="options of the ADBC driver that are secrets: {option: environment variable that holds its value}",
    )
    columns: tuple[str, ...] = Field(
        default=(), description="columns besides keys, as_of and run_id; default: all columns of the prediction table"
    )

    @property
    def is_folder(self) -> bool:
        """Whether the target is a folder of files."""
        return self.format in _FOLDERS

    @property
    def table_parts(self) -> tuple[str, ...]:
        """The name of the table, part by part."""
        return tuple((self.table or "").split("."))

    @property
    def target(self) -> tuple[str, ...]:
        """What tells one target from another, as far as the settings tell."""
        if self.is_folder:
            return (self.path or "").rstrip("/"), ""
        return self.uri or f"${self.uri_variable}", self.table or ""

    @field_validator("uri_variable")
    @classmethod
    def _require_variable_name(cls, name: str | None) -> str | None:
        if name is not None and not _VARIABLE.fullmatch(name):
            raise ValueError("expected the name of an environment variable; what was found is not shown")
        return name

    @field_validator("option_variables")
    @classmethod
    def _require_variable_names(cls, names: dict[str, str]) -> dict[str, str]:
        if not all(_VARIABLE.fullmatch(name) for name in names.values()):
            raise ValueError("expected names of environment variables; what was found is not shown")
        return names

    @field_validator("options")
    @classmethod
    def _refuse_secret_options(cls, options: dict[str, str]) -> dict[str, str]:
        secret = [name for name, value in options.items() if is_secret_name(name) or has_uri_credentials(value)]
        if secret:
            raise ValueError(f"secrets, which are not shown: {', '.join(secret)}; name variables in option_variables")
        return options

    @field_validator("path", "uri")
    @classmethod
    def _refuse_credentials(cls, uri: str | None) -> str | None:
        if uri is not None and (has_uri_credentials(uri) or "password=" in uri.lower()):
            raise ValueError(
                "a URI with credentials in it, which is not shown; for a database put it into an environment variable"
                " and name that in uri_variable; for a folder give the credentials to Spark"
            )
        return uri

    @field_validator("driver")
    @classmethod
    def _require_module_name(cls, driver: str | None) -> str | None:
        if driver is not None and not _MODULE.fullmatch(driver):
            raise ValueError(f"{driver!r} is no name of a Python package, such as adbc_driver_flightsql")
        return driver

    @field_validator("table")
    @classmethod
    def _require_table_name(cls, table: str | None) -> str | None:
        parts = (table or "x").split(".")
        if len(parts) > _MAX_PARTS or any(not part.strip() or "\0" in part for part in parts):
            raise ValueError(f"{table!r} is no name, schema.name or catalog.schema.name")
        long = [part for part in parts if len(part.encode()) > 63]
        if long:
            raise ValueError(f"longer than 63 bytes, which databases cut: {', '.join(long)}")
        return table

    @model_validator(mode="after")
    def _require_target(self) -> Self:
        """A setting that another format needs does nothing here."""
        missing = [] if self.is_folder else ["table"] * (self.table is None)
        missing += ["path"] * (self.is_folder and self.path is None)
        missing += ["driver"] * (self.format == "adbc" and self.driver is None)
        if missing:
            raise ValueError(f"{self.format} needs {' and '.join(missing)}")
        allowed = {"path"} if self.is_folder else {"table", "uri", "uri_variable", "options", "option_variables"}
        allowed |= {"driver"} if self.format == "adbc" else set()
        idle = self.model_fields_set - allowed - {"name", "format", "columns"}
        given = sorted(name for name in idle if getattr(self, name))
        if given:
            raise ValueError(f"{self.format} does not use {', '.join(given)}")
        if not self.is_folder and (self.uri is None) == (self.uri_variable is None):
            raise ValueError(f"{self.format} needs one of uri and uri_variable")
        return self


def find_repeated_exports(exports: Sequence[ExportSettings]) -> list[str]:
    """What two exports share and may not, in words."""
    problems = []
    for what, values in (
        ("name", [one.name.lower() for one in exports]),
        ("target", [" ".join(one.target) for one in exports]),
    ):
        repeated = sorted({value for value in values if values.count(value) > 1})
        same = [one.name for one, value in zip(exports, values, strict=True) if value in repeated]
        if same:
            problems.append(f"two exports have the same {what}: {', '.join(same)}")
    return problems
