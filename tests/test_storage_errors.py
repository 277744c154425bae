"""What a store or a catalog says becomes an error with its exit code and its cure."""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyarrow import fs

from sparkscore.errors import AccessDenied, ConfigError, TemporaryError
from sparkscore.ingest.split_reader import ParquetSplitReader
from sparkscore.records import TableLocation
from sparkscore.schemas import REJECT_TYPE
from sparkscore.spark.error_translation import to_sparkscore_error
from sparkscore.stage.file_writer import write_stage_files
from sparkscore.storage_errors import find_storage_error
from tests.s3_server import LoopbackS3, serve_s3

EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
STAGE = pa.schema([("id", pa.int64()), ("_reject", REJECT_TYPE)])


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackS3]:
    with serve_s3("lake") as made:
        yield made


def files_of(server: LoopbackS3) -> fs.S3FileSystem:
    return fs.S3FileSystem(access_key="key", secret_key="hush", endpoint_override=server.address, region="us-east-1")


def open_by_deltalake(server: LoopbackS3, uri: str) -> DeltaTable:
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_REGION": "us-east-1"}
    return DeltaTable(uri, storage_options={**keys, "AWS_ENDPOINT_URL": server.address, "AWS_ALLOW_HTTP": "true"})


def read_a_split(server: LoopbackS3, bucket: str = "lake") -> None:
    reader = ParquetSplitReader(bucket, files_of(server), pa.schema([("id", pa.int64())]), 1, (), ())
    list(reader.read_range({"path": "part.parquet", "start": 0, "length": 1}, 0, None))


def write_a_stage(server: LoopbackS3, bucket: str = "lake") -> None:
    batch = pa.RecordBatch.from_pylist([{"id": 1, "_reject": None}], schema=STAGE)
    write_stage_files(iter([batch]), STAGE, TableLocation(f"s3://{bucket}", bucket, files_of(server)), "id")


@pytest.mark.parametrize("work", [read_a_split, write_a_stage])
def test_credentials_that_expire_under_a_task_end_the_run_with_75(
    server: LoopbackS3, monkeypatch: pytest.MonkeyPatch, work: Callable[[LoopbackS3], None]
) -> None:
    monkeypatch.setattr(server, "refusal", EXPIRED)
    with pytest.raises(TemporaryError, match=r"no longer takes the credentials[\s\S]*renew them") as caught:
        work(server)
    assert caught.value.exit_code == 75


def test_credentials_that_expire_under_the_driver_do_too(server: LoopbackS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "refusal", EXPIRED)
    with pytest.raises(Exception, match="ExpiredToken") as caught:
        open_by_deltalake(server, "s3://lake/t")
    assert isinstance(to_sparkscore_error(caught.value, "opening t"), TemporaryError)


def test_a_bucket_that_is_not_there_is_an_error_of_the_config(server: LoopbackS3) -> None:
    with pytest.raises(ConfigError, match=r"the bucket is not there[\s\S]*create it") as caught:
        write_a_stage(server, "absent")
    assert caught.value.exit_code == 2


def test_a_store_that_is_not_up_ends_the_run_with_75() -> None:
    with pytest.raises(TemporaryError, match="no answer while"):
        read_a_split(LoopbackS3("http://127.0.0.1:9"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("java.nio.file.AccessDeniedException: s3a://b/t: getFileStatus: 403 Forbidden", AccessDenied),
        ("AWS Error ACCESS_DENIED during GetObject operation: Access Denied", AccessDenied),
        ("MetaException: Insufficient Lake Formation permission(s) on flights", AccessDenied),
        ("[SCHEMA] user [bob] does not have [SELECT] privilege on [lake/flights]", AccessDenied),
        ("org.apache.hadoop.fs.s3a.UnknownStoreException: `s3a://b/t': Bucket does not exist", ConfigError),
        ("[DELTA_PATH_BASED_ACCESS_TO_CATALOG_MANAGED_TABLE_BLOCKED] Path-based access is blocked", ConfigError),
        ("Could not connect to meta store using any of the URIs provided", TemporaryError),
        ("AWS Error SLOW_DOWN during PutObject operation: Please reduce your request rate.", TemporaryError),
        ("Server failed to authenticate the request: the token is expired", TemporaryError),
    ],
)
def test_known_words_of_stores_and_catalogs_have_their_class(text: str, kind: type[Exception]) -> None:
    assert type(find_storage_error(text, "reading t")) is kind


@pytest.mark.parametrize(
    "text", ["expected a token at line 3", "no such file or directory: /data/403/part.parquet", "invalid column"]
)
def test_other_words_have_none(text: Any) -> None:
    assert find_storage_error(text, "reading t") is None
