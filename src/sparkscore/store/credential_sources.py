"""Where a process finds credentials of a store by itself. Executors use it, too: nothing but Python's own library."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

GOOGLE_DEFAULT = "GOOGLE_APPLICATION_CREDENTIALS"
_GOOGLE_VARIABLES = (
    GOOGLE_DEFAULT,
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
    "SERVICE_ACCOUNT",
)
"""The first is every library's; deltalake reads the others."""
_ENVIRONMENT_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_PROFILE_FILES: Mapping[str, str] = {"AWS_SHARED_CREDENTIALS_FILE": "credentials", "AWS_CONFIG_FILE": "config"}
_PROFILE_WORDS = ("aws_access_key_id", "role_arn", "credential_process", "credential_source", "sso_", "login_session")


def list_aws_sources() -> list[str]:
    """Where this process finds credentials of AWS, but for those of the instance, which it would have to ask for.

    Runs on: driver | executor.
    """
    tests: Mapping[str, Callable[[], bool]] = {
        "environment": lambda: all(os.environ.get(name) for name in _ENVIRONMENT_KEYS),
        "web_identity": lambda: "AWS_WEB_IDENTITY_TOKEN_FILE" in os.environ,
        "profile": lambda: "AWS_PROFILE" in os.environ or any(map(_may_hold_credentials, _PROFILE_FILES)),
        "container": lambda: any(name.startswith("AWS_CONTAINER_CREDENTIALS_") for name in os.environ),
    }
    return [name for name, is_offered in tests.items() if is_offered()]


def _may_hold_credentials(variable: str) -> bool:
    """Whether a file of profiles says more than a region."""
    file = Path(os.environ.get(variable) or Path("~/.aws", _PROFILE_FILES[variable]).expanduser())
    try:
        return any(word in file.read_text().lower() for word in _PROFILE_WORDS)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, UnicodeDecodeError):
        return True


def list_google_sources() -> list[str]:
    """Where this process finds credentials of Google, but for those of the machine, which it would have to ask for.

    Runs on: driver | executor.
    """
    folder = os.environ.get("CLOUDSDK_CONFIG") or str(Path("~/.config/gcloud").expanduser())
    file = Path(folder, "application_default_credentials.json")
    names = [name for name in _GOOGLE_VARIABLES if name in os.environ]
    return [*names, *([file.name] if file.exists() else [])]


def list_credential_sources(scheme: str) -> tuple[str, ...]:
    """The sources of the store that a URI's scheme means. Runs on: driver | executor."""
    found: Mapping[str, Callable[[], list[str]]] = {"s3": list_aws_sources, "gs": list_google_sources}
    return tuple(found[scheme]()) if scheme in found else ()
