"""Names of source columns in the prediction table: the default, the setting, and what is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from sparkscore.settings import Settings

DIGEST = Settings(
    job="j", source={"table": "t", "keys": ["id"]}, model={"uri": "models:/m/1"}, output={"table": "p"}
).scoring_digest()


def job(*carried: str, source: dict[str, Any] | None = None, **rename: str) -> Settings:
    source = {"table": "t", "keys": ("id",), "passthrough": carried, **(source or {})}
    return Settings(job="j", source=source, model={"uri": "models:/m/1"}, output={"table": "p", "rename": rename})


def test_each_character_that_plain_tables_refuse_becomes_an_underscore() -> None:
    name = "a b,c;d{e}f(g)h\ni\tj=k"
    assert job(name, "c`a.r-é").output_names == {"id": "id", name: "a_b_c_d_e_f_g_h_i_j_k", "c`a.r-é": "c`a.r-é"}


def test_the_setting_names_keys_and_sensitive_columns_too() -> None:
    found = job("pay", source={"keys": ("Order No", "id"), "sensitive": ("id", "pay", "unread")}, id="flight")
    assert found.output_keys == ("Order_No", "flight")
    assert found.output_sensitive == ("flight", "pay", "unread")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (lambda: job("a b", "a_b"), "has to give other names to columns that would have the same name.*a b and a_b"),
        (lambda: job("a", a="ID"), "the same name in the prediction table: id and a"),
        (lambda: job(b="c"), "names columns that are neither keys nor in source.passthrough: b"),
        (lambda: job("a", a="x y"), "holds names with one of .*: 'x y'"),
        (lambda: job("a", a=""), "or empty ones: ''"),
    ],
)
def test_names_that_cannot_be_written_are_refused_with_the_setting(settings: Any, told: str) -> None:
    with pytest.raises(ValidationError, match=f"output.rename {told}" if told.startswith(("has", "names")) else told):
        settings()


def test_only_another_name_than_the_default_changes_the_scoring_digest() -> None:
    assert job().scoring_digest() == DIGEST
    assert job(id="id").scoring_digest() == DIGEST
    assert job(id="flight").scoring_digest() not in (DIGEST, job(id="flights").scoring_digest())
    assert job("a b", **dict[str, Any]({"a b": "a_b"})).scoring_digest() == job("a b").scoring_digest()
