"""The grammar of `model.inputs`: what is an expression, what is refused, and what a digest is made of."""

from pathlib import Path
from typing import Any

import pytest

from sparkscore.errors import ConfigError
from sparkscore.records import ArithmeticExpression, Constant, LookupExpression, SourceColumn
from sparkscore.settings import Settings

_LOOKUP = "lookup: {table: regions, key: {origin: code}, value: region"


def load(tmp_path: Path, inputs: str) -> Settings:
    config = tmp_path / "job.yaml"
    config.write_text(
        f"job: j\nsource: {{table: t, keys: [id]}}\noutput: {{table: p}}\nmodel: {{uri: models:/m/1, inputs: {inputs}}}"
    )
    return Settings.load(config, environ={})


def test_a_column_stays_a_column_and_its_digest_what_it_was(tmp_path: Path) -> None:
    plain, spelled = load(tmp_path, "{a: b}"), load(tmp_path, "{a: {column: b}}")
    assert plain.model.inputs == spelled.model.inputs == {"a": "b"}
    # as versions before expressions made it
    assert plain.scoring_digest() == "bd1f2be2527fe5ce4ed6753894556c7abd34e214e0ba8f40d0bfb3ce886a88b5"
    assert spelled.scoring_digest() == plain.scoring_digest()


def test_expressions_nest_and_are_written_as_they_were_read(tmp_path: Path) -> None:
    settings = load(tmp_path, f"{{a: {{add: [b, {{{_LOOKUP}, default: 2}}}}, 1.5]}}}}")
    lookup = LookupExpression("regions", (("origin", SourceColumn("code")),), "region", 2)
    assert settings.model.inputs["a"] == ArithmeticExpression("add", (SourceColumn("b"), lookup, Constant(1.5)))
    again = Settings.model_validate(settings.model_dump())
    assert (again, again.scoring_digest()) == (settings, settings.scoring_digest())


@pytest.mark.parametrize("other", ["{a: {add: [b, 2.0]}}", "{a: {add: [2, b]}}", "{a: {subtract: [b, 2]}}", "{a: b}"])
def test_another_expression_is_another_digest(tmp_path: Path, other: str) -> None:
    assert load(tmp_path, "{a: {add: [b, 2]}}").scoring_digest() != load(tmp_path, other).scoring_digest()


def test_a_flag_gives_an_expression() -> None:
    flags = {"job": "j", "source.table": "t", "source.keys": "[id]", "output.table": "p", "model.uri": "models:/m/1"}
    settings = Settings.load(environ={}, flags={**flags, "model.inputs": "{a: {divide: [b, 2]}}"})
    assert settings.model.inputs["a"] == ArithmeticExpression("divide", (SourceColumn("b"), Constant(2)))


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ("{a: 5}", r"model.inputs.a: the number 5; expected a column \(in quotes, if it looks like a number\)"),
        ("{a: {text: b}}", "model.inputs.a: the same value for every row"),
        ("{a: {prt: hour, of: t}}", r"no operation in a mapping of prt, of \(did you mean part\?\)"),
        ("{a: {part: hours, of: t}}", r"part: the text 'hours' \(did you mean hour\?\); expected one of year,"),
        ("{a: {cast: x, to: double, add: [b, 2]}}", "2 operations in one mapping: cast, add"),
        ("{a: {add: [b]}}", r"add: a list of 1; expected a list of two or more: \{add: \[a, b\]\}"),
        ("{a: {divide: [b, 1, 2]}}", "divide: 3 parts; expected two"),
        ("{a: {add: [b, .nan]}}", "add.1: the number nan; expected true, false, or a finite number"),
        ("{a: {add: [b, 99999999999999999999]}}", "add.1: .* of at most 64 bits"),
        ("{a: {add: [b, 010]}}", "YAML reads 010 as 8"),
        ("{a: {concat: [b, ' ']}}", "concat.1: the text ' '; expected the name of a column"),
        ("{a: {part: hour, of: t, timezone: EST}}", "timezone: the text 'EST'; expected UTC, or a region"),
        ("{a: {part: hour, of: t, timezone: ../../etc/passwd}}", "timezone: the text '../../etc/passwd'"),
        (f"{{a: {{{_LOOKUP}, kye: 1}}}}}}", "lookup: unknown: kye; expected table, key, value, and perhaps default"),
        ("{a: {lookup: {table: t, key: {}, value: v}}}", "lookup.key: a mapping; expected"),
        ("{a: {sql: 'reflect(x)'}}", "no operation in a mapping of sql"),
        ("{a: {add: [b, {cast: c, to: int}]}}", r"add.1.to: the text 'int' \(did you mean string|integer"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_place(tmp_path: Path, inputs: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load(tmp_path, inputs)


def test_credentials_in_the_name_of_a_lookup_table_are_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="credentials in it, which is not shown") as refused:
        load(tmp_path, "{a: {lookup: {table: 's3a://user:Secr3t@bucket/t', key: {k: b}, value: v}}}")
    assert "Secr3t" not in str(refused.value)


def test_deep_and_wide_expressions_are_refused(tmp_path: Path) -> None:
    deep: Any = "b"
    for _ in range(40):
        deep = {"cast": deep, "to": "long"}
    for inputs in (deep, {"add": ["b"] * 300}):
        with pytest.raises(ValueError, match="more than 200 operations, or 20 levels"):
            load(tmp_path, "{a: b}").model.model_validate({"uri": "models:/m/1", "inputs": {"a": inputs}})
