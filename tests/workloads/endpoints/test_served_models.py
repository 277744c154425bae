"""What an endpoint says of its models before a row is read."""

import pytest

from sparkscore.errors import AccessDenied, EndpointUnavailable, ModelNotFound
from sparkscore.workloads.endpoints.endpoint_spec import EndpointAccess
from sparkscore.workloads.endpoints.served_models import ServedModel, find_served_model
from tests.workloads.endpoints.misbehaving_server import MODEL, serving


def find(url: str, model: str = MODEL) -> ServedModel:
    return find_served_model(EndpointAccess(url, "key-1"), model, sleep=lambda seconds: None)


def test_the_version_is_what_the_model_was_made_of_where_the_endpoint_says_it() -> None:
    with serving(models=[{"id": "other"}, {"id": MODEL, "root": "org/small-2024"}]) as script:
        assert find(script.url) == ServedModel("org/small-2024", is_listed=True)
    with serving() as script:
        assert find(script.url) == ServedModel(MODEL, is_listed=True)
    assert not script.paid


def test_a_model_that_is_not_served_is_told_with_those_that_are() -> None:
    with serving() as script, pytest.raises(ModelNotFound, match=MODEL):
        find(script.url, "large-model")


def test_an_endpoint_without_a_list_is_no_error() -> None:
    with serving(models_status=404) as script:
        assert find(script.url) == ServedModel(MODEL, is_listed=False)


def test_a_wrong_key_ends_at_once() -> None:
    with serving(models_status=401) as script, pytest.raises(AccessDenied):
        find(script.url)
    assert script.lookups == 1


def test_an_endpoint_that_does_not_answer_is_asked_three_times() -> None:
    with serving(models_status=503) as script, pytest.raises(EndpointUnavailable):
        find(script.url)
    assert script.lookups == 3
