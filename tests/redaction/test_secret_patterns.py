"""What looks like a secret is not shown, though nobody has registered it."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.redaction.secret_patterns import mask_secrets, redact_secrets, redact_values, shorten_redacted

SECRET = "Hunter2/Hunter2+Zz"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization=Basic {SECRET}",
        json.dumps({"Authorization": f"Bearer {SECRET}", "x": 1}),
        f"{{'Authorization': 'Bearer {SECRET}'}}",
        f"sent Bearer {SECRET}, got 401",
        f"password={SECRET}",
        f"MLFLOW_TRACKING_PASSWORD={SECRET} set",
        f"api_key: {SECRET}",
        json.dumps({"password": SECRET}),
        json.dumps({"a": json.dumps({"client_secret": SECRET})}),
        str({"token": SECRET}),
        f'password="{SECRET} and more {SECRET}"',
        f"password='two words {SECRET}' next",
        f'password="cut {SECRET}',
        f"fs.azure.account.key.myaccount.dfs.core.windows.net={SECRET}",
        f"account.key: {SECRET}",
        f"AccountKey={SECRET};EndpointSuffix=core.windows.net",
        f"fs.s3a.access.key={SECRET}",
        f"https://a.blob.core.windows.net/c/x?sv=1&sig={SECRET}&se=2",
        f"the signature sig={SECRET}",
        f"https://hooks.slack.com/services/T000/B000/{SECRET}",
        f"https://x.webhook.office.com/webhookb2/{SECRET}",
        f"https://discord.com/api/webhooks/1/{SECRET}",
        f"--monitor.webhook=https://alerts.example/{SECRET}",
        f"s3a://AKEY:{SECRET}@bucket/t",
        f"https://me:p@{SECRET}@host/x",
        f"postgresql://me:{SECRET}@db/x failed",
        f"https://{SECRET.replace('/', '')}@host/x",
        f"https://me:{SECRET}@a/x, https://you:{SECRET}@b/y",
        "key AKIA1234567890ABCDEF",
        "github ghp_123456789012345678901234567890",
        "slack xoxb-1234567890-abcdef",
        "databricks dapi0123456789abcdef0123456789abcdef",
        "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    ],
)  # fmt: skip
def test_it_is_masked(text: str) -> None:
    shown = redact_secrets(text)
    assert "***" in shown
    for part in ("Hunter2", "Zz", "1234567890", "0123456789", "eyJ"):
        assert part not in shown


@pytest.mark.parametrize(
    "text",
    [
        "the column passwordless is missing",
        "abfss://container@account.dfs.core.windows.net/tables/flights",
        "models:/late@champion",
        "the signature: (-1, 3)",
        "log it with signature=infer_signature(rows, predictions)",
        "http://host:5000/api/2.0/mlflow",
        "s3a://bucket/tables/flights",
        "basic authentication",
        "mail me@example.com",
    ],
)
def test_what_only_resembles_one_stays(text: str) -> None:
    assert redact_secrets(text) == text


def test_the_rest_of_a_text_stays() -> None:
    assert redact_secrets(f"x password='a b' y https://u:{SECRET}@h/z?q=1") == "x password='***' y https://***@h/z?q=1"


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_values_stay_json_and_are_redacted_once_and_for_all(value: object) -> None:
    once = redact_values(value)
    assert json.loads(json.dumps(once)) == once
    assert redact_values(once) == once


@given(st.text())
def test_a_redacted_text_is_redacted(text: str) -> None:
    assert mask_secrets(mask_secrets(text)) == mask_secrets(text)


def test_a_text_is_cut_after_its_secrets_are_gone() -> None:
    assert shorten_redacted(f"s3a://AKEY:{SECRET * 20}@bucket/x", 30) == "s3a://***@bucket/x"


@pytest.mark.parametrize(
    "text", ["token" * 40_000, "password-" * 40_000, "a" * 400_000, "://a:" * 40_000, "\\" * 99_999]
)
def test_a_long_text_takes_no_long_time(text: str) -> None:
    begun = time.process_time()
    redact_secrets(text)
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    "text",
    [
        "struct<prompt_tokens: int64, completion_tokens: int64>",
        '{"prompt_tokens": 1700000, "max_tokens": 12}',
        "llm.tokens_per_minute=10000000",
    ],
)
def test_numbers_of_tokens_are_no_tokens(text: str) -> None:
    assert redact_secrets(text) == text


def test_a_token_beside_a_number_of_tokens_is_masked() -> None:
    assert redact_secrets("max_tokens=12 token=abcdef123 tokens=abcdef456") == "max_tokens=12 token=*** tokens=***"
