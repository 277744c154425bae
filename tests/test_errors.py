"""The error tree."""

import pickle
from collections.abc import Iterator

import pytest

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
        (errors.RegistryUnreachable, 75),
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
