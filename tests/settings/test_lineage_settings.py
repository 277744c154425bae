"""Settings of lineage: one target, secrets that nobody sees."""

from typing import Any

import pytest
from pydantic import ValidationError

from sparkscore.redaction.secret_patterns import mask_secrets
from sparkscore.settings.lineage_settings import LineageSettings, split_parent_id

RUN = "0176a8c2-fe01-7439-87e6-56a1a1b4029f"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"url": "https://a.example.com", "file": "/var/x"}, "url and file: events go to one of them"),
        ({"endpoint": "api"}, "endpoint has no effect without url"),
        ({"api_key": "secret-of-mine"}, "api_key has no effect without url"),
        ({"kafka": {"bootstrap.servers": "b:1"}}, "kafka has no effect without topic"),
        ({"topic": "lineage"}, "topic needs kafka"),
        ({"url": "ftp://a.example.com"}, "begins with https"),
        ({"url": "https://me:secret-of-mine@a.example.com"}, "holds no credentials"),
        ({"url": "http://a.example.com", "api_key": "secret-of-mine"}, "in the clear"),
        ({"file": "s3://bucket/events"}, "a file of the driver's machine"),
        ({"parent": "airflow/job/no-uuid"}, "NAMESPACE/JOB/UUID"),
    ],
)
def test_what_does_nothing_or_shows_a_secret_is_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem) as refused:
        LineageSettings(enabled=True, **values)
    assert "secret-of-mine" not in str(refused.value)


def test_secrets_are_shown_nowhere() -> None:
    kafka = {"bootstrap.servers": "b:1", "sasl.password": "secret-of-kafka"}
    given = [
        LineageSettings(url="https://a.example.com", api_key="secret-of-http"),
        LineageSettings(topic="lineage", kafka=kafka),
    ]
    assert "secret-of" not in repr(given)
    assert mask_secrets("it was secret-of-http, then secret-of-kafka") == "it was ***, then ***"


def test_a_parents_namespace_may_hold_slashes() -> None:
    assert split_parent_id(f"https://airflow/prod/dag.task/{RUN}") == ("https://airflow/prod", "dag.task", RUN)


def test_nothing_is_sent_by_default() -> None:
    assert LineageSettings().enabled is False
