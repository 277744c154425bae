"""The error tree."""

import json
import pickle
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore import errors


def _classes(base: type[errors.SparkscoreError] = errors.SparkscoreError) -> Iterator[type[errors.SparkscoreError]]:
    yield base
    for below in base.__subclasses__():
        yield from _classes(below)


@pytest.mark.parametrize("kind", list(_classes()))
def test_every_error_survives_pickling_with_its_parts(kind: type[errors.SparkscoreError]) -> None:
    error = pickle.loads(pickle.dumps(kind("found", "expected", "do")))
    assert (type(error), error.found, error.expected, error.do) == (kind, "found", "expected", "do")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.SparkscoreError, 1),
        (errors.ConfigError, 2),
        (errors.PinsConflict, 2),
        (errors.VersionGone, 2),
        (errors.GateFailed, 3),
        (errors.DuplicateKeys, 3),
        (errors.SignatureError, 4),
        (errors.ServedModelChanged, 4),
        (errors.RegistryUnreachable, 75),
        (errors.EndpointUnavailable, 75),
    ],
)
def test_a_class_knows_its_exit_code_and_only_temporary_ones_are_retryable(
    kind: type[errors.SparkscoreError], code: int
) -> None:
    assert kind.exit_code == code
    assert kind.retryable == (code == 75)


def test_a_message_says_what_was_found_what_was_expected_and_what_to_do() -> None:
    assert str(errors.ConfigError("a", "b", "c")) == "a\n  expected: b\n  do: c"


def test_a_message_without_more_to_say_is_one_line() -> None:
    assert str(errors.ConfigError("a")) == "a"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("postgresql://me:hunter2@db/x", "postgresql://***@db/x"),
        ("MLFLOW_TRACKING_PASSWORD=hunter2 set", "MLFLOW_TRACKING_PASSWORD=*** set"),
        ("api_key: abc", "api_key: ***"),
        ("nothing here", "nothing here"),
    ],
)
def test_secrets_never_stand_in_a_message(text: str, safe: str) -> None:
    assert errors.ConfigError(text).found == safe


@pytest.mark.parametrize("kind", [kind for kind in _classes() if kind.__module__ == errors.__name__])
def test_every_error_survives_as_json_with_its_class_and_its_parts(kind: type[errors.SparkscoreError]) -> None:
    error = errors.SparkscoreError.from_dict(json.loads(json.dumps(kind("found", "expected", "do").to_dict())))
    assert (type(error), error.found, error.expected, error.do) == (kind, "found", "expected", "do")


@given(st.text(), st.text(), st.text())
def test_any_words_survive_as_json_and_no_secret_comes_back(found: str, expected: str, do: str) -> None:
    error = errors.PredictError(f"{found} password=hunter2 {found}", expected, do)
    back = errors.SparkscoreError.from_dict(json.loads(json.dumps(error.to_dict())))
    assert (back.found, back.expected, back.do) == (error.found, error.expected, error.do)
    assert "hunter2" not in json.dumps(error.to_dict()) + str(back)


def test_what_the_model_raised_survives_as_json() -> None:
    back = errors.SparkscoreError.from_dict(errors.RowsNotPredicted("found", raised="KeyError").to_dict())
    assert isinstance(back, errors.RowsNotPredicted)
    assert back.raised == "KeyError"


WORDS = {"found": "f", "expected": "e", "do": "d"}


@pytest.mark.parametrize(
    "parts",
    [
        {},
        WORDS,
        {"class": "NoSuchError", **WORDS},
        {"class": "redact_secrets", **WORDS},
        {"class": "Mapping", **WORDS},
        {"class": "__name__", **WORDS},
        {"class": "ConfigError", "found": "f"},
        {"class": "ConfigError", **WORDS, "do": None},
        {"class": "ConfigError", **WORDS, "raised": "KeyError"},
    ],
)
def test_what_is_no_error_of_the_suite_is_refused(parts: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"no error of the suite|takes other parts"):
        errors.SparkscoreError.from_dict(parts)


@pytest.mark.parametrize(
    ("name", "code", "helps"),
    [
        ("DeadlinePassed", 75, True),
        ("GateFailed", 3, False),
        ("a class of another version", 75, True),
        ("Py4JJavaError", 1, False),
        (None, None, False),
    ],
)
def test_class_and_exit_code_tell_whether_a_retry_helps(name: str | None, code: int | None, helps: bool) -> None:
    assert errors.is_retryable(name, exit_code=code) is helps
