"""Who reads S3 beside Spark: with Spark's own keys, or as the one role that everybody finds, or nobody."""

import os
from collections.abc import Iterator

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from sparkscore.errors import ScanUnsupported
from sparkscore.records import TableLocation, TableRef
from sparkscore.store import executor_trial
from sparkscore.store.credential_sources import list_aws_sources
from sparkscore.store.executor_trial import require_executor_access
from sparkscore.store.table import Table
from sparkscore.store.table_location import locate_table
from tests.s3_server import ROLE_KEY, LoopbackS3, serve_s3

SDK = "software.amazon.awssdk.auth.credentials"
S3A = "org.apache.hadoop.fs.s3a"
ROWS = pa.table({"id": [1, 2, 3]})


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackS3]:
    with serve_s3("lake", "own") as made:
        yield made


@pytest.fixture
def session(spark: SparkSession, server: LoopbackS3, monkeypatch: pytest.MonkeyPatch) -> SparkSession:
    """A session that knows where the server is; nobody has credentials."""
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    server.keys.clear()
    made = spark.newSession()
    made.conf.set("fs.s3a.endpoint", server.address)
    made.conf.set("fs.s3a.endpoint.region", "us-east-1")
    return made


def at(uri: str) -> TableRef:
    return TableRef("t", uri)


def write_table(location: TableLocation) -> None:
    write_deltalake(location.uri, ROWS, storage_options=dict(location.options), mode="overwrite")


def test_a_buckets_own_keys_come_before_those_for_all(session: SparkSession, server: LoopbackS3) -> None:
    session.conf.set("fs.s3a.access.key", "EVERYBODY")
    session.conf.set("fs.s3a.secret.key", "hush")
    session.conf.set("fs.s3a.bucket.own.access.key", "OWNKEY")
    write_table(locate_table(session, at("s3a://own/t")))
    assert set(server.keys) == {"OWNKEY"}
    write_table(locate_table(session, at("s3a://lake/t")))
    assert set(server.keys) == {"OWNKEY", "EVERYBODY"}
    assert not locate_table(session, at("s3a://lake/t")).needs_trial


def test_signs_of_a_path_are_taken_literally_or_left_to_spark(session: SparkSession) -> None:
    session.conf.set("fs.s3a.access.key", "KEY")
    session.conf.set("fs.s3a.secret.key", "hush")
    location = locate_table(session, at("s3a://lake/a b+c=ü/t"))
    write_table(location)
    assert [one.path for one in location.files.get_file_info([f"{location.root}/_delta_log/{0:020}.json"])] == [
        "lake/a b+c=ü/t/_delta_log/00000000000000000000.json"
    ]
    assert location.files.get_file_info(f"{location.root}/_delta_log/{0:020}.json").size > 0
    with pytest.raises(ScanUnsupported, match="a % in it"):
        locate_table(session, at("s3a://lake/a%20b/t"))


def test_the_role_of_a_task_reads_and_writes_where_spark_has_no_other(
    session: SparkSession, server: LoopbackS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.address}/role")
    location = locate_table(session, at("s3a://lake/role"))
    write_table(location)
    assert Table(session, at("s3a://lake/role")).load_newest_version() == 0
    assert (set(server.keys), location.needs_trial) == ({ROLE_KEY}, True)


def test_executors_show_that_they_have_the_role_before_a_run_counts_on_it(
    session: SparkSession, server: LoopbackS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.address}/role")
    monkeypatch.setattr(executor_trial, "_FOUND", type(executor_trial._FOUND)())
    location = locate_table(session, at("s3a://lake/shown"))
    write_table(location)
    with pytest.raises(ScanUnsupported, match="they find credentials by the instance, the driver by container"):
        require_executor_access(session, location)  # Spark's workers began before the role was there
    executor_trial._FOUND.clear()
    names = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")
    for name in names:
        monkeypatch.setitem(session.sparkContext.environment, name, os.environ[name])
    server.keys.clear()
    require_executor_access(session, location, f"_delta_log/{0:020}.json")
    assert set(server.keys) == {ROLE_KEY}
    asked = len(server.keys)
    require_executor_access(session, location)
    assert len(server.keys) == asked
    executor_trial._FOUND.clear()
    with pytest.raises(ScanUnsupported, match="FileNotFoundError"):
        require_executor_access(session, location, "gone.parquet")


@pytest.mark.parametrize(
    ("settings", "environment", "why"),
    [
        ({}, {"AWS_PROFILE": "other"}, "IAMInstanceCredentialsProvider does not take the credentials .* by profile"),
        (
            {"aws.credentials.provider": f"{SDK}.DefaultCredentialsProvider"},
            {"AWS_PROFILE": "other", "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"},
            "by web_identity and by profile",
        ),
        (
            {"aws.credentials.provider": f"{S3A}.auth.IAMInstanceCredentialsProvider"},
            {"AWS_ACCESS_KEY_ID": "WIDER", "AWS_SECRET_ACCESS_KEY": "hush"},
            "does not take the credentials .* by environment",
        ),
        (
            {"aws.credentials.provider": f"{S3A}.auth.AssumedRoleCredentialProvider"},
            {},
            "AssumedRoleCredentialProvider",
        ),
        ({"aws.credentials.provider": f"{S3A}.SimpleAWSCredentialsProvider"}, {}, "no S3 keys"),
        ({"bucket.lake.aws.credentials.provider": "com.example.Own"}, {}, "com.example.Own"),
        ({"encryption.algorithm": "SSE-KMS"}, {}, "encryption.algorithm"),
        ({"security.credential.provider.path": "jceks://file/keys"}, {}, "may have keys of"),
        ({"impl": "com.example.Files"}, {}, "reads s3a:// with com.example.Files"),
    ],
)
def test_where_pyarrow_could_be_another_user_than_spark_s3_is_sparks(
    session: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    environment: dict[str, str],
    why: str,
) -> None:
    for name, value in settings.items():
        session.conf.set(f"fs.s3a.{name}", value)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ScanUnsupported, match=why):
        locate_table(session, at("s3a://lake/t"))


def test_one_way_to_credentials_that_everybody_takes_is_enough(
    session: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.conf.set("fs.s3a.aws.credentials.provider", f"{SDK}.WebIdentityTokenFileCredentialsProvider")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")
    assert locate_table(session, at("s3a://lake/t")).needs_trial


@pytest.mark.parametrize(
    ("client", "setting", "is_reached"),
    [
        ("com.amazon.ws.emr.hadoop.fs.EmrFileSystem", None, True),
        ("com.amazon.ws.emr.hadoop.fs.EmrFileSystem", "fs.s3.authorization.roleMapping.1", False),
        ("com.amazon.ws.emr.hadoop.fs.EmrFileSystem", "fs.s3.customAWSCredentialsProvider", False),
    ],
)
def test_emrs_own_client_is_the_role_of_the_instance_unless_it_maps_roles(
    session: SparkSession, client: str, setting: str | None, is_reached: bool
) -> None:
    session.conf.set("fs.s3.impl", client)
    session.conf.set("fs.s3a.access.key", "IGNORED")
    session.conf.set("fs.s3a.secret.key", "hush")
    if setting is not None:
        session.conf.set(setting, "x")
    if is_reached:
        location = locate_table(session, at("s3://lake/t"))
        assert (location.needs_trial, "AWS_ACCESS_KEY_ID" in location.options) == (True, False)
    else:
        with pytest.raises(ScanUnsupported, match=r"authorization|customAWSCredentialsProvider"):
            locate_table(session, at("s3://lake/t"))


def test_an_endpoint_of_amazons_is_its_region(session: SparkSession) -> None:
    session.conf.set("fs.s3a.bucket.own.endpoint", "s3.eu-west-3.amazonaws.com")
    session.conf.set("fs.s3a.bucket.own.endpoint.region", "")
    session.conf.unset("fs.s3a.endpoint.region")
    session.conf.set("fs.s3a.access.key", "KEY")
    session.conf.set("fs.s3a.secret.key", "hush")
    options = locate_table(session, at("s3a://own/t")).options
    assert (options.get("AWS_REGION"), "AWS_ENDPOINT_URL" in options) == ("eu-west-3", False)


def test_a_file_of_profiles_that_names_a_region_alone_is_no_way_to_credentials(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path_factory.mktemp("aws") / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    file.write_text("[default]\nregion = eu-west-3\n")
    assert list_aws_sources() == []
    file.write_text("[default]\nrole_arn = arn:aws:iam::1:role/wide\ncredential_source = Ec2InstanceMetadata\n")
    assert list_aws_sources() == ["profile"]
