"""Tables on S3 for readers other than Spark: with the keys that Spark has, or as the one role that both find."""

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

from pyarrow import fs
from pyspark.sql import SparkSession

from sparkscore.errors import ScanUnsupported
from sparkscore.records import TableLocation
from sparkscore.redaction.known_secrets import register_named_secrets
from sparkscore.store.credential_sources import list_aws_sources
from sparkscore.store.hadoop_conf import HadoopConf

S3_SCHEMES = ("s3", "s3a")
PLAIN_SIGNS = "/ =@+~:,()"
"""What a URI for deltalake keeps: it decodes the rest."""
_PREFIX = "fs.s3a."
_LOG_STORES = tuple(
    f"{prefix}delta.logStore.{kind}"
    for prefix in ("spark.", "")
    for kind in ("class", "s3.impl", "s3a.impl", "s3n.impl")
)
_OPTIONS: Mapping[str, tuple[str, str]] = {
    "access_key": ("access.key", "AWS_ACCESS_KEY_ID"),
    "secret_key": ("secret.key", "AWS_SECRET_ACCESS_KEY"),
    "session_token": ("session.token", "AWS_SESSION_TOKEN"),
    "endpoint_override": ("endpoint", "AWS_ENDPOINT_URL"),
    "region": ("endpoint.region", "AWS_REGION"),
}
"""pyarrow's argument: the setting of Spark's S3A, and the variable that AWS's own tools and deltalake read."""
_KEYS = ("access_key", "secret_key", "session_token")
_PLACES = ("endpoint_override", "region")
_NOT_PASSED_ON = (
    "delegation.token.binding",
    "encryption.algorithm",
    "server-side-encryption-algorithm",
    "proxy.host",
    "accesspoint.arn",
    "s3accessgrants.enabled",
    "requester.pays.enabled",
)
"""Settings of S3A that change who reads, or what a file holds, and that pyarrow or deltalake do not know."""
_AMAZON = re.compile(r"(https://)?s3(?:[.-](?P<region>[a-z]+-[a-z-]+-\d))?\.amazonaws\.com/?")

_HADOOP, _SDK_1, _SDK_2 = "org.apache.hadoop.fs.s3a.", "com.amazonaws.auth.", "software.amazon.awssdk.auth.credentials."
_EVERY_SOURCE = ("environment", "web_identity", "profile", "container", "instance")
_PROVIDERS: Mapping[str, tuple[str, ...]] = {
    f"{_HADOOP}TemporaryAWSCredentialsProvider": ("keys",),
    f"{_HADOOP}SimpleAWSCredentialsProvider": ("keys",),
    f"{_HADOOP}auth.IAMInstanceCredentialsProvider": ("container", "instance"),
    f"{_HADOOP}auth.ProfileAWSCredentialsProvider": ("profile",),
    f"{_SDK_1}EnvironmentVariableCredentialsProvider": ("environment",),
    f"{_SDK_1}InstanceProfileCredentialsProvider": ("instance",),
    f"{_SDK_1}EC2ContainerCredentialsProviderWrapper": ("container", "instance"),
    f"{_SDK_1}WebIdentityTokenCredentialsProvider": ("web_identity",),
    f"{_SDK_1}profile.ProfileCredentialsProvider": ("profile",),
    f"{_SDK_1}DefaultAWSCredentialsProviderChain": _EVERY_SOURCE,
    f"{_SDK_2}EnvironmentVariableCredentialsProvider": ("environment",),
    f"{_SDK_2}InstanceProfileCredentialsProvider": ("instance",),
    f"{_SDK_2}ContainerCredentialsProvider": ("container",),
    f"{_SDK_2}WebIdentityTokenFileCredentialsProvider": ("web_identity",),
    f"{_SDK_2}ProfileCredentialsProvider": ("profile",),
    f"{_SDK_2}DefaultCredentialsProvider": _EVERY_SOURCE,
}
"""Where each provider of credentials that S3A may be told to ask finds them."""
_DEFAULT_PROVIDERS = (
    f"{_HADOOP}TemporaryAWSCredentialsProvider",
    f"{_HADOOP}SimpleAWSCredentialsProvider",
    f"{_SDK_2}EnvironmentVariableCredentialsProvider",
    f"{_HADOOP}auth.IAMInstanceCredentialsProvider",
)
_EMR_FILES = "com.amazon.ws.emr.hadoop.fs.EmrFileSystem"
_S3A_FILES = "org.apache.hadoop.fs.s3a.S3AFileSystem"


def locate_on_s3(spark: SparkSession | None, scheme: str, root: str) -> TableLocation:
    """A folder on S3, `bucket/folder`, for pyarrow and deltalake.

    Jobs:    none; for a role without a region one request to S3.
    Raises:  ScanUnsupported where they may be somebody else than Spark is, or nobody.
    """
    refuse_encoded_signs(root)
    settings = BucketSettings(spark, root.partition("/")[0])
    settings.refuse_unknown_ways(scheme)
    keys = choose_s3_keys(settings, scheme)
    if spark is None and not keys:
        raise ScanUnsupported("there are no S3 keys, and no session that says who asks instead", "AWS_ACCESS_KEY_ID")
    given = {**keys, **settings.place}
    if not keys and "region" not in given and "endpoint_override" not in given:
        given["region"] = _resolve_region(settings.bucket)
    uri, files = f"s3://{quote(root, safe=PLAIN_SIGNS)}", fs.S3FileSystem(**given)
    options = _to_deltalake_options(given)
    return TableLocation(uri, root, files, options, _is_coordinated(spark), needs_trial=not keys)


def _to_deltalake_options(given: Mapping[str, str]) -> Mapping[str, str]:
    """What deltalake needs to reach what pyarrow reaches with these arguments."""
    options = {_OPTIONS[name][1]: value for name, value in given.items()}
    register_named_secrets(options)
    # written only where nothing is: two drivers that make the same commit do not overwrite one another
    options["aws_conditional_put"] = "etag"
    if given.get("endpoint_override", "").startswith("http://"):
        options["AWS_ALLOW_HTTP"] = "true"
    if "access_key" not in given:
        options["AWS_FORCE_CREDENTIAL_LOAD"] = "true"  # else it asks the instance alone where an endpoint is set
    return options


@lru_cache
def _resolve_region(bucket: str) -> str:
    try:
        return str(fs.resolve_s3_region(bucket))
    except (OSError, ValueError) as error:
        raise ScanUnsupported(f"the region of the bucket {bucket} is not known", "fs.s3a.endpoint.region") from error


def refuse_encoded_signs(root: str) -> None:
    """Refuse a folder with a percent sign in its name: deltalake decodes it twice.

    Raises:  ScanUnsupported.
    """
    if "%" in root:
        raise ScanUnsupported("the table's path has a % in it", "a path without")


class BucketSettings:
    """What S3A is told for one bucket: its own settings come before those for all."""

    def __init__(self, spark: SparkSession | None, bucket: str) -> None:
        self.bucket, self._conf = bucket, HadoopConf(spark)
        own = self._conf.with_prefix(f"{_PREFIX}bucket.{bucket}.")
        self._own = {name.removeprefix(_PREFIX): value for name, value in own.items()}

    def get(self, name: str) -> str | None:
        """A setting of S3A without its prefix; None where it has no value."""
        return self._own.get(name) or self._conf.get(_PREFIX + name)

    @property
    def keys(self) -> Mapping[str, str]:
        """The keys among the settings."""
        found = {name: self.get(_OPTIONS[name][0]) for name in _KEYS}
        return {name: value for name, value in found.items() if value}

    @property
    def place(self) -> Mapping[str, str]:
        """Endpoint and region: as S3A is told them, else as the environment says."""
        found = {name: self.get(_OPTIONS[name][0]) or os.environ.get(_OPTIONS[name][1]) for name in _PLACES}
        endpoint, region = found["endpoint_override"], found["region"] or os.environ.get("AWS_DEFAULT_REGION")
        amazon = _AMAZON.fullmatch(endpoint or "")
        if amazon is not None:
            endpoint, region = None, region or amazon["region"]
        elif endpoint and "://" not in endpoint:
            plain = (self.get("connection.ssl.enabled") or "true").lower() == "false"
            endpoint = f"{'http' if plain else 'https'}://{endpoint}"
        return {name: value for name, value in (("endpoint_override", endpoint), ("region", region)) if value}

    @property
    def providers(self) -> tuple[str, ...]:
        """The classes that S3A asks for credentials, in its order."""
        found = (self.get("aws.credentials.provider") or "").replace("\n", " ").split(",")
        return tuple(filter(None, map(str.strip, found))) or _DEFAULT_PROVIDERS

    def refuse_unknown_ways(self, scheme: str) -> None:
        """Refuse what reaches the bucket in another way than by plain requests with credentials.

        Raises:  ScanUnsupported.
        """
        for name in _NOT_PASSED_ON:
            if (self.get(name) or "false") != "false":
                raise ScanUnsupported(f"the session reaches S3 with {_PREFIX}{name}", "plain requests")
        store = self._conf.find_key_store(_PREFIX)
        if store is not None:
            raise ScanUnsupported(f"the session may have keys of {store}", "keys among the settings, or a role")
        client = self._conf.get(f"fs.{scheme}.impl")
        if client not in (None, _S3A_FILES, _EMR_FILES):
            raise ScanUnsupported(f"the session reads {scheme}:// with {client}", "S3A, or EMR's client")
        custom = [name for name in ("fs.s3.customAWSCredentialsProvider",) if self._conf.get(name)]
        custom += [f"fs.s3.authorization.{name}" for name in self._conf.with_prefix("fs.s3.authorization.")]
        if client == _EMR_FILES and custom:
            raise ScanUnsupported(f"the session reaches S3 with {custom[0]}", "the role of the instance")

    def lists_emr_client(self, scheme: str) -> bool:
        """Whether EMR's own client reads the scheme."""
        return self._conf.get(f"fs.{scheme}.impl") == _EMR_FILES


def choose_s3_keys(settings: BucketSettings, scheme: str) -> Mapping[str, str]:
    """The keys with which Spark reads the bucket; none where it, pyarrow and deltalake can only be the same role.

    Raises:  ScanUnsupported.
    """
    offered = list_aws_sources()
    if settings.lists_emr_client(scheme):
        return _require_one_source(offered, ("container", "instance"), "EMR's client")
    for provider in settings.providers:
        sources = _PROVIDERS.get(provider)
        if sources is None:
            raise ScanUnsupported(f"the session reaches S3 with {provider}", "keys, or a role of the machine")
        if "keys" in sources and {"access_key", "secret_key"} <= settings.keys.keys():
            return settings.keys
        if "environment" in sources and "environment" in offered:
            return _environment_keys()
        if "instance" in sources or set(sources) & set(offered):
            return _require_one_source(offered, sources, provider.rpartition(".")[2])
    raise ScanUnsupported("the session has no S3 keys, and no provider of them that both know", "keys, or a role")


def _is_coordinated(spark: SparkSession | None) -> bool:
    """Whether Spark commits to S3 through a service: Delta's store of logs in DynamoDB, or Databricks' own."""
    return "DATABRICKS_RUNTIME_VERSION" in os.environ or any(_context_setting(spark, name) for name in _LOG_STORES)


def _context_setting(spark: SparkSession | None, name: str) -> str | None:
    return None if spark is None else spark.sparkContext.getConf().get(name)


def _environment_keys() -> Mapping[str, str]:
    found = {name: os.environ.get(_OPTIONS[name][1]) for name in _KEYS}
    return {name: value for name, value in found.items() if value}


def _require_one_source(offered: list[str], sources: tuple[str, ...], provider: str) -> Mapping[str, str]:
    """No keys, where everybody who looks for credentials finds the same ones: there are no others.

    Each program has an order of its own in which it looks.
    """
    if len(offered) > 1:
        raise ScanUnsupported(f"there are credentials of S3 by {' and by '.join(offered)}", "one way to them")
    found = offered[0] if offered else "instance"
    if found not in sources:
        raise ScanUnsupported(f"{provider} does not take the credentials that there are by {found}", "one role for all")
    return {}
