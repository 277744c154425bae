"""Settings of a table that no job reads."""

from collections.abc import Mapping

import pytest

from sparkscore.errors import ConfigError
from sparkscore.settings import TableSettings


def test_nothing_has_to_be_given() -> None:
    settings = TableSettings.load(environ={})
    assert (settings.job, settings.source.keys, settings.source.sensitive) == ("", (), ())
    assert settings.home_uri.endswith("/.sparkscore")


def test_variables_and_flags_count_as_for_a_job() -> None:
    flags = {"source.sensitive": "[name]", "source.keys": "[id]", "job": "j"}
    settings = TableSettings.load(flags=flags, environ={"SPARKSCORE_HOME": "/x"})
    assert (settings.job, settings.home_uri, settings.source.keys) == ("j", "/x", ("id",))
    assert settings.source.sensitive == ("name",)


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ({"job": "a b"}, "job: "),
        ({"source.sensitiv": "[name]"}, "did you mean source.sensitive"),
        ({"source.keys": "[id, id]"}, "named twice: id"),
    ],
)
def test_what_is_given_is_checked_as_for_a_job(flags: Mapping[str, str], found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        TableSettings.load(flags=flags, environ={})
