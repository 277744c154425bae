"""Known secrets are masked by their values, however a text writes them."""

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest

from sparkscore.redaction import known_secrets
from sparkscore.redaction.known_secrets import (
    is_secret_name,
    mask_known_secrets,
    register_named_secrets,
    register_secret,
    register_uri_secrets,
)
from sparkscore.redaction.uri_credentials import find_webhook_secrets, has_uri_credentials

SECRET = 'Pä"ss/w+ö <r>d\\1'


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET),
        quote_plus(SECRET),
        json.dumps({"x": SECRET}),
        json.dumps({"x": SECRET}, ensure_ascii=False),
        json.dumps(json.dumps({"x": SECRET})),
        repr({"x": SECRET}),
        html.escape(SECRET),
        *(base64.b64encode(f"{user}:{SECRET}".encode()).decode() for user in ("u", "us", "use", "user")),
        base64.urlsafe_b64encode(f"me:{SECRET}".encode()).decode(),
    ],
)
def test_it_is_masked_in_each_form(text: str) -> None:
    assert mask_known_secrets(f"before {text} after") == f"before {text} after"
    register_secret(SECRET)
    shown = mask_known_secrets(f"before {text} after")
    assert "***" in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert "w+ö" not in shown


@pytest.mark.parametrize("value", ["1", "true", "mlflow", "12345", "abc12", "", None, "   "])
def test_a_short_one_is_no_secret(value: str | None) -> None:
    register_secret(value)
    assert mask_known_secrets("1 true mlflow 12345 abc12") == "1 true mlflow 12345 abc12"


def test_one_of_middle_length_is_masked_as_a_word_only() -> None:
    register_secret("cafe1234")
    assert mask_known_secrets("it is cafe1234.") == "it is ***."
    assert mask_known_secrets("digest 00cafe1234ff") == "digest 00cafe1234ff"


def test_a_secret_that_begins_another_one_does_not_show_its_end() -> None:
    register_secret("0123456789abcdef")
    register_secret("0123456789abcdefTHEREST")
    assert mask_known_secrets("x 0123456789abcdefTHEREST y") == "x *** y"


def test_lines_of_a_key_are_masked_one_by_one() -> None:
    register_secret("-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----")
    assert mask_known_secrets("line AQEFAASCBKcwggSjAgEAAoIB") == "line ***"


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("MLFLOW_TRACKING_PASSWORD", True),
        ("MLFLOW_TRACKING_TOKEN", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("AWS_SESSION_TOKEN", True),
        ("AZURE_STORAGE_CONNECTION_STRING", True),
        ("spark.hadoop.fs.s3a.secret.key", True),
        ("spark.hadoop.fs.azure.account.key.acct.dfs.core.windows.net", True),
        ("spark.kubernetes.authenticate.submission.oauthToken", True),
        ("spark.hadoop.fs.s3a.aws.credentials.provider", False),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", False),
        ("TOKENIZERS_PARALLELISM", False),
        ("spark.redaction.regex", False),
        ("MLFLOW_TRACKING_URI", False),
        ("PATH", False),
    ],
)
def test_a_name_tells_whether_its_value_is_secret(name: str, secret: bool) -> None:
    assert is_secret_name(name) == secret


def test_secrets_of_a_mapping_are_found_by_name_and_in_uris() -> None:
    register_named_secrets(
        {
            "A_TOKEN": "first-1234",
            "MLFLOW_TRACKING_URI": "https://me:second%2F1234@host",
            "GOOGLE_APPLICATION_CREDENTIALS": "/keys/service.json",
            "OTHER": "third-1234",
            "spark.kubernetes.driver.secrets.spark-secret": "/etc/secrets",
        }
    )
    shown = mask_known_secrets("first-1234 second/1234 second%2F1234 /keys/service.json third-1234 /etc/secrets")
    assert shown == "*** *** *** /keys/service.json third-1234 /etc/secrets"


def test_the_environment_is_read_at_the_first_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PASSWORD", "in the environment 1")
    known_secrets._KNOWN.has_environment = False
    assert mask_known_secrets("in the environment 1") == "***"


def test_user_info_is_masked_alone_too() -> None:
    register_uri_secrets("see postgresql://user:p@ss/word-9@db/x")
    assert mask_known_secrets("p@ss/word-9") == "***"


def test_of_a_webhook_only_the_host_is_no_secret() -> None:
    found = set(find_webhook_secrets("https://hooks.example/services/T01234567/B0/abcdefgh?sig=xyz"))
    assert {"abcdefgh", "/services/T01234567/B0/abcdefgh", "xyz"} < found
    assert not {"hooks.example", "services"} & found


@pytest.mark.parametrize(
    ("uri", "has"),
    [
        ("s3a://KEY:SECRET@bucket/t", True),
        ("s3a://KEY:SEC/RET@bucket/t", True),
        ("s3a://KEY@bucket/t", True),
        ("S3://KEY:SE/CRET", True),
        ("abfss://c:SECRET@a.dfs.core.windows.net/t", True),
        ("hdfs://me:SECRET@nn:8020/t", True),
        ("wasbs://c@a.blob.core.windows.net/t?sv=1&sig=SECRET", True),
        ("abfss://c@a.dfs.core.windows.net/t", False),
        ("hdfs://me@nn:8020/t", False),
        ("hdfs://nn:8020/t", False),
        ("s3a://bucket/t@1", False),
        ("/data/t@1:2", False),
        ("lake.flights", False),
    ],
)
def test_a_uri_tells_whether_it_holds_credentials(uri: str, has: bool) -> None:
    assert has_uri_credentials(uri) == has
