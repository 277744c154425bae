"""Who reads GCS and ADLS beside Spark: whoever Spark is there, or nobody."""

import logging
import pickle
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gcp_storage_emulator.server import create_server
from pyspark.sql import SparkSession

from sparkscore.errors import ScanUnsupported
from sparkscore.records import TableRef
from sparkscore.schemas import REJECT_TYPE
from sparkscore.stage.file_writer import write_stage_files
from sparkscore.store.table_location import locate_table

ACCOUNT = "lake.dfs.core.windows.net"
TABLE = f"abfss://box@{ACCOUNT}/tables/t"
OAUTH = "org.apache.hadoop.fs.azurebfs.oauth2"
STAGE = pa.schema([("id", pa.int64()), ("_reject", REJECT_TYPE)])


@pytest.fixture
def session(spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SparkSession:
    """A session on machines without credentials of Google's."""
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    return spark.newSession()


@pytest.fixture(scope="module")
def google() -> Iterator[str]:
    """Google's storage as far as the emulator goes: no parts of files, nor the listing that deltalake asks for."""
    logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="lake")
    server.start()
    yield f"http://127.0.0.1:{server._api._httpd.socket.getsockname()[1]}"
    server.stop()


def test_tasks_write_a_stage_on_gcs(session: SparkSession, google: str) -> None:
    session.conf.set("fs.gs.auth.type", "UNAUTHENTICATED")
    session.conf.set("fs.gs.storage.root.url", google)
    location = pickle.loads(pickle.dumps(locate_table(session, TableRef("t", "gs://lake/stage"))))  # as it travels
    rows = [{"id": 1, "_reject": None}, {"id": 2, "_reject": None}]
    (file,) = write_stage_files(iter([pa.RecordBatch.from_pylist(rows, schema=STAGE)]), STAGE, location, "id")
    with location.files.open_input_stream(f"{location.root}/{file.path}") as written:
        assert pq.read_table(pa.BufferReader(written.read()))["id"].to_pylist() == [1, 2]


def test_the_machines_account_is_taken_where_googles_libraries_find_no_other(
    session: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = locate_table(session, TableRef("t", "gs://lake/t"))
    assert (location.uri, location.root, location.needs_trial) == ("gs://lake/t", "lake/t", True)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/wider.json")
    with pytest.raises(ScanUnsupported, match="does not take the credentials of GOOGLE_APPLICATION_CREDENTIALS"):
        locate_table(session, TableRef("t", "gs://lake/t"))
    session.conf.set("fs.gs.auth.type", "APPLICATION_DEFAULT")
    assert locate_table(session, TableRef("t", "gs://lake/t")).needs_trial


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fs.gs.auth.type", "SERVICE_ACCOUNT_JSON_KEYFILE"),
        ("fs.gs.auth.service.account.json.keyfile", "/key.json"),
        ("fs.gs.auth.impersonation.service.account", "other@project"),
        ("fs.gs.impl", "com.example.Files"),
        ("hadoop.security.credential.provider.path", "jceks://file/keys"),
    ],
)
def test_another_account_of_googles_is_sparks(session: SparkSession, setting: str, value: str) -> None:
    session.conf.set(setting, value)
    with pytest.raises(ScanUnsupported, match="the session"):
        locate_table(session, TableRef("t", "gs://lake/t"))


def test_the_key_of_an_azure_account_is_handed_on(session: SparkSession) -> None:
    session.conf.set(f"fs.azure.account.key.{ACCOUNT}", "aHVzaA==")
    location = locate_table(session, TableRef("t", TABLE))
    assert (location.uri, location.root, location.needs_trial) == (TABLE, "box/tables/t", True)
    assert location.options == {"azure_storage_account_name": "lake", "azure_storage_account_key": "aHVzaA=="}
    assert "aHVzaA" not in repr(location)


@pytest.mark.parametrize(
    ("provider", "more", "options"),
    [
        (
            "ClientCredsTokenProvider",
            {"secret": "hush", "endpoint": "https://login.microsoftonline.com/tenant-1/oauth2/token"},
            {"azure_tenant_id": "tenant-1", "azure_client_id": "app", "azure_client_secret": "hush"},
        ),
        ("MsiTokenProvider", {}, {"azure_client_id": "app"}),
    ],
)
def test_an_azure_application_and_a_managed_identity_are_the_same_for_all(
    session: SparkSession, provider: str, more: dict[str, str], options: dict[str, str]
) -> None:
    settings = {"auth.type": "OAuth", "oauth.provider.type": f"{OAUTH}.{provider}", "oauth2.client.id": "app"}
    for name, value in (settings | {f"oauth2.client.{name}": value for name, value in more.items()}).items():
        session.conf.set(f"fs.azure.account.{name}", value)
    assert locate_table(session, TableRef("t", TABLE)).options == {"azure_storage_account_name": "lake", **options}


@pytest.mark.parametrize(
    ("settings", "uri", "why"),
    [
        ({}, TABLE, "no key of the account"),
        ({"auth.type": "SAS"}, TABLE, "by sas"),
        ({"auth.type": "OAuth", "oauth.provider.type": f"{OAUTH}.MsiTokenProvider"}, TABLE, "MsiTokenProvider"),
        ({"auth.type": "Custom", "oauth.provider.type": "com.example.Tokens"}, TABLE, "com.example.Tokens"),
        ({"key": "aHVzaA=="}, "abfss://box@lake.dfs.core.chinacloudapi.cn/t", "none of Azure's public ones"),
    ],
)
def test_another_way_to_azure_is_sparks(session: SparkSession, settings: dict[str, str], uri: str, why: str) -> None:
    for name, value in settings.items():
        session.conf.set(f"fs.azure.account.{name}", value)
    with pytest.raises(ScanUnsupported, match=why):
        locate_table(session, TableRef("t", uri))


def test_credentials_of_azures_in_the_environment_may_be_deltalakes_and_not_sparks(
    session: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.conf.set("fs.azure.account.key", "aHVzaA==")
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "wider")
    with pytest.raises(ScanUnsupported, match="AZURE_STORAGE_SAS_TOKEN"):
        locate_table(session, TableRef("t", TABLE))
