"""Settings of sources that are not Delta."""

from typing import Any

import pytest
from pydantic import ValidationError

from sparkscore.redaction.secret_patterns import redact_secrets
from sparkscore.settings import Settings


def settings_with(**source: Any) -> Settings:
    return Settings.model_validate(
        {
            "job": "late",
            "source": {"table": "flights", "keys": ["id"], **source},
            "model": {"uri": "models:/late/1"},
            "output": {"table": "predictions"},
        }
    )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"options": {"sep": ";"}}, "other than delta"),
        ({"schema": "id bigint"}, "other than delta"),
        ({"format": "csv", "version": 3}, "has no versions"),
        ({"format": "csv", "options": {"Mode": "DROPMALFORMED"}}, "not an option of its own: Mode"),
        ({"format": "jdbc", "options": {"query": "select 1"}}, "source.table names what is read"),
        ({"format": "jdbc", "options": {"url": "jdbc:postgresql://me:secretword@host/db"}}, "credentials"),
        ({"format": "jdbc", "options": {"url": "jdbc:postgresql://host/db?password=secretword"}}, "credentials"),
        ({"format": "view", "schema": "id bigint"}, "a view has its own columns"),
        ({"format": "text.`/etc/passwd`"}, "pattern"),
    ],
)
def test_what_would_do_nothing_or_show_a_secret_is_refused(source: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as refused:
        settings_with(**source)
    assert "secretword" not in str(refused.value)


def test_options_are_as_spark_takes_them_and_secrets_are_masked_everywhere() -> None:
    source = settings_with(format="jdbc", options={"fetchsize": 10, "ssl": True, "password": "Xk42-secret"}).source
    assert source.reader_options == {"fetchsize": "10", "ssl": "true", "password": "Xk42-secret"}
    assert source.shown_options == {"fetchsize": "10", "ssl": "true"}
    assert "Xk42" not in repr(source) + redact_secrets("failed with Xk42-secret")


def test_the_digest_of_a_delta_source_is_what_it_was_and_that_of_another_tells_what_is_landed() -> None:
    csv = {"format": "csv", "options": {"sep": ";", "password": "Xk42-secret"}}
    tuned = {"format": "CSV", "options": {"SEP": ";", "fetchsize": 7, "password": "another-one1"}}
    assert settings_with().scoring_digest() == settings_with(format="delta").scoring_digest()
    digests = [
        settings_with(**source).scoring_digest()
        for source in (csv, tuned, {"format": "csv"}, {"format": "json"}, {"format": "csv", "schema": "id bigint"})
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_options_of_a_file_and_a_secret_of_the_environment_are_one(tmp_path: Any) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(
        "job: late\nsource: {table: public.flights, keys: [id], format: jdbc, options: {url: 'jdbc:postgresql://h/db'}}\n"
        "model: {uri: 'models:/late/1'}\noutput: {table: predictions}\n"
    )
    found = Settings.load(file, environ={"SPARKSCORE_SOURCE__OPTIONS": "{password: Xk42-secret}"})
    assert set(found.source.reader_options) == {"url", "password"}
