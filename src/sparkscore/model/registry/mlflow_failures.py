"""What failures of MLflow's client mean for a run: gone, denied, set up wrongly on this side, or a matter of time."""

from collections.abc import Mapping
from http import HTTPStatus

from sparkscore.errors import AccessDenied, ConfigError, ModelNotFound, RegistryUnreachable, SparkscoreError
from sparkscore.redaction.secret_patterns import shorten_redacted

_NOT_FOUND_CODES = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")
_ACCESS_DENIED_CODES = ("PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED")
_DENIED_STATUSES = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_PACKAGES: Mapping[str, str] = {
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
    "google": "google-cloud-storage",
    "azure": "azure-storage-blob azure-identity",
}
"""That have a module which MLflow imports by another name."""
_REFUSED_REQUEST_CODES = ("INVALID_PARAMETER_VALUE", "ENDPOINT_NOT_FOUND", "FEATURE_DISABLED")


def translate_mlflow_error(error: Exception, subject: str) -> SparkscoreError:
    """What a failure of MLflow, of its database or of the network means for a run."""
    code, message = getattr(error, "error_code", None), shorten_redacted(str(error).strip().partition("\n")[0], 300)
    no_file = isinstance(error, OSError) and "No such file" in str(error)
    check = "check model.uri and model.tracking_uri"
    status = _find_http_status(error)
    if (refused := _find_setup_error(error, subject, message)) is not None:
        return refused
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return ConfigError(
            f"the certificate of the registry's server is not trusted, asked for {subject}",
            "a certificate of an authority that this machine knows",
            "set MLFLOW_TRACKING_SERVER_CERT_PATH to the certificate, or to that of its authority",
        )
    if code in _NOT_FOUND_CODES or no_file or status == HTTPStatus.NOT_FOUND:
        return ModelNotFound(f"the registry does not have {subject}: {message}", "a registered model", check)
    if code in _ACCESS_DENIED_CODES or isinstance(error, PermissionError) or status in _DENIED_STATUSES:
        return AccessDenied(
            f"no access to {subject}: {message}",
            "permission to read the model",
            "give the driver MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, of an"
            " account that may read it; executors need none",
        )
    if code in _REFUSED_REQUEST_CODES or "out-of-date database schema" in message:
        return ConfigError(
            f"the registry refused to give {subject}: {message}", "an MLflow registry of this version", check
        )
    found = f"no answer for {subject}: {type(error).__name__}: {message}"
    return RegistryUnreachable(found, "a registry that answers", "check model.tracking_uri; run it again")


def _find_setup_error(error: Exception, subject: str, message: str) -> SparkscoreError | None:
    """What is wrong on this side, and no time mends."""
    names = {one.__name__ for one in type(error).__mro__}
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = _PACKAGES.get(error.name.partition(".")[0], error.name)
        return ConfigError(
            f"{error.name} is not installed, and MLflow needs it for {subject}",
            "the client of the database or store in the driver's environment",
            f"pip install {package}",
        )
    if "Could not find a suitable TLS CA certificate bundle" in message or "Could not find the TLS" in message:
        return ConfigError(
            f"a certificate is not where MLflow is told that it is, asked for {subject}: {message}",
            "files that are there",
            "correct MLFLOW_TRACKING_SERVER_CERT_PATH, MLFLOW_TRACKING_CLIENT_CERT_PATH or REQUESTS_CA_BUNDLE",
        )
    if {"InvalidUrlException", "InvalidURL", "MissingSchema"} & names:
        return ConfigError(
            f"an address that is none, asked for {subject}: {message}",
            "https://host, or https://host:port",
            "correct model.tracking_uri",
        )
    if "Databricks credential configuration failed" in message:
        return AccessDenied(
            f"no credentials of Databricks for {subject}",
            "those of a workspace",
            "set DATABRICKS_HOST and DATABRICKS_TOKEN, or name a profile: databricks://<profile>",
        )
    return None


def _find_http_status(error: BaseException | None) -> int | None:
    """Of what a server of files has answered: those calls raise errors of `requests`."""
    while error is not None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
        error = error.__cause__
    return None
