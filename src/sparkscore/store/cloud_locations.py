"""Tables on Google's and Azure's stores for readers other than Spark, where all of them are the same user."""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from pyarrow import fs
from pyspark.sql import SparkSession

from sparkscore.errors import ScanUnsupported
from sparkscore.records import TableLocation
from sparkscore.redaction.known_secrets import register_named_secrets
from sparkscore.store.credential_sources import GOOGLE_DEFAULT, list_google_sources
from sparkscore.store.hadoop_conf import HadoopConf
from sparkscore.store.s3_locations import PLAIN_SIGNS, refuse_encoded_signs

CLOUD_SCHEMES = ("gs", "abfs", "abfss")

_GOOGLE_CLIENTS = (
    None,
    "com.google.cloud.hadoop.fs.gcs.GoogleHadoopFileSystem",
    "org.apache.hadoop.fs.gs.GoogleHadoopFileSystem",
)
_GOOGLE_REFUSED = (
    "fs.gs.auth.impersonation.",
    "fs.gs.auth.service.account.",
    "fs.gs.auth.access.token.provider",
    "fs.gs.auth.client.",
    "fs.gs.encryption.key",
    "fs.gs.proxy.",
    "google.cloud.auth.",
)
"""Settings of Google's client by which it is, or may be, another user than its libraries find."""
_GOOGLE_DEFAULTS = ("fs.gs.auth.service.account.enable", "google.cloud.auth.service.account.enable")
_EVERYBODYS = (GOOGLE_DEFAULT, "application_default_credentials.json")
_GOOGLE_PATIENCE = timedelta(minutes=2)
"""pyarrow's own is a quarter of an hour for each request."""
_GOOGLE_ENDPOINT = "https://storage.googleapis.com"
_AZURE_HOST = re.compile(r"(?P<account>[a-z0-9]+)\.dfs\.core\.windows\.net")
_AZURE_TOKENS = "org.apache.hadoop.fs.azurebfs.oauth2."
_AZURE_LOGIN = re.compile(r"https://login\.microsoftonline\.com/(?P<tenant>[\w.-]+)/oauth2/(v2\.0/)?token")


def locate_in_cloud(spark: SparkSession | None, scheme: str, authority: str, path: str) -> TableLocation:
    """A folder on GCS or ADLS for pyarrow and deltalake.

    Needs:   a session: without one nobody says which user Spark would be.
    Jobs:    none; no network access.
    Raises:  ScanUnsupported where they may be somebody else than Spark is.
    """
    if spark is None:
        raise ScanUnsupported(f"there is no session that says who reads {scheme}://", "local files, or S3 with keys")
    refuse_encoded_signs(path)
    conf = HadoopConf(spark)
    store = conf.find_key_store("fs.azure.")
    if store is not None:
        raise ScanUnsupported(f"the session may have secrets of {store}", "secrets among the settings, or a role")
    return _locate_on_google(conf, authority, path) if scheme == "gs" else _locate_on_azure(conf, authority, path)


def _locate_on_google(conf: HadoopConf, bucket: str, path: str) -> TableLocation:
    if conf.get("fs.gs.impl") not in _GOOGLE_CLIENTS:
        raise ScanUnsupported(f"the session reads gs:// with {conf.get('fs.gs.impl')}", "Google's client")
    kind = (conf.get("fs.gs.auth.type") or "COMPUTE_ENGINE").upper()
    refused = [
        f"{prefix}{name}"
        for prefix in _GOOGLE_REFUSED
        for name, value in conf.with_prefix(prefix).items()
        if f"{prefix}{name}" not in _GOOGLE_DEFAULTS or value.lower() != "true"
    ]
    if refused:
        raise ScanUnsupported(f"the session reaches GCS with {refused[0]}", "the account of the machine")
    others = [one for one in list_google_sources() if kind != "APPLICATION_DEFAULT" or one not in _EVERYBODYS]
    if others and kind != "UNAUTHENTICATED":
        raise ScanUnsupported(f"Spark does not take the credentials of {others[0]}", "one account")
    if kind not in ("COMPUTE_ENGINE", "APPLICATION_DEFAULT", "UNAUTHENTICATED"):
        raise ScanUnsupported(f"the session reaches GCS by {kind}", "the account of the machine")
    given, options = {"retry_time_limit": _GOOGLE_PATIENCE, **_google_endpoint(conf)}, {}
    if kind == "UNAUTHENTICATED":
        given["anonymous"], options["google_skip_signature"] = True, "true"
    if "endpoint_override" in given:
        options["google_base_url"] = f"{given['scheme']}://{given['endpoint_override']}"
        options["allow_http"] = "true"
    root = f"{bucket}/{path}"
    return TableLocation(
        f"gs://{quote(root, safe=PLAIN_SIGNS)}", root, fs.GcsFileSystem(**given), options, needs_trial=True
    )


def _google_endpoint(conf: HadoopConf) -> dict[str, Any]:
    """Arguments of pyarrow for another address than Google's."""
    endpoint = (conf.get("fs.gs.storage.root.url") or _GOOGLE_ENDPOINT).rstrip("/")
    if endpoint == _GOOGLE_ENDPOINT:
        return {}
    parts = urlsplit(endpoint)
    return {"scheme": parts.scheme, "endpoint_override": parts.netloc}


def _locate_on_azure(conf: HadoopConf, authority: str, path: str) -> TableLocation:
    container, _, host = authority.rpartition("@")
    known = _AZURE_HOST.fullmatch(host)
    if known is None or not container:
        raise ScanUnsupported(f"the store {host} is none of Azure's public ones", "account.dfs.core.windows.net")
    others = sorted(name for name in os.environ if name.startswith("AZURE_"))
    if others:
        raise ScanUnsupported(f"deltalake may take the credentials of {others[0]}", "one way to them")
    given, options = _choose_azure_secrets(_AzureSettings(conf, host))
    try:
        files = fs.AzureFileSystem(known["account"], **given)
    except (AttributeError, TypeError) as error:
        raise ScanUnsupported("this pyarrow does not reach ADLS in this way", "a newer pyarrow") from error
    register_named_secrets(options := {"azure_storage_account_name": known["account"], **options})
    uri = f"abfss://{authority}/{quote(path, safe=PLAIN_SIGNS)}"
    return TableLocation(uri, f"{container}/{path}", files, options, needs_trial=True)


class _AzureSettings:
    """What Hadoop's client is told of one account: its own settings come before those for all."""

    def __init__(self, conf: HadoopConf, host: str) -> None:
        self._conf, self._host = conf, host

    def get(self, name: str) -> str | None:
        return self._conf.get(f"fs.azure.account.{name}.{self._host}") or self._conf.get(f"fs.azure.account.{name}")


def _choose_azure_secrets(settings: _AzureSettings) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What Spark has as arguments of pyarrow, and as options of deltalake."""
    kind = (settings.get("auth.type") or "SharedKey").lower()
    if kind == "sharedkey":
        key = settings.get("key")
        if key is None or settings.get("keyprovider") not in (None, f"{_AZURE_TOKENS[:-7]}services.SimpleKeyProvider"):
            raise ScanUnsupported("the session has no key of the account among its settings", "fs.azure.account.key")
        return {"account_key": key}, {"azure_storage_account_key": key}
    provider, client = settings.get("oauth.provider.type"), settings.get("oauth2.client.id")
    if kind == "oauth" and client and provider == f"{_AZURE_TOKENS}ClientCredsTokenProvider":
        login = _AZURE_LOGIN.fullmatch(settings.get("oauth2.client.endpoint") or "")
        secret = settings.get("oauth2.client.secret")
        if login is not None and secret:
            given = {"tenant_id": login["tenant"], "client_id": client, "client_secret": secret}
            return given, {f"azure_{name}": value for name, value in given.items()}
    if kind == "oauth" and client and provider == f"{_AZURE_TOKENS}MsiTokenProvider":
        return {"client_id": client}, {"azure_client_id": client}
    raise ScanUnsupported(f"the session reaches ADLS by {provider or kind}", "a key, a client's secret, or an identity")
