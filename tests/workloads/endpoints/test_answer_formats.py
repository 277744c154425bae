"""Answers become text, a class or an object; what is none says how to ask again, and quotes nothing."""

import json
from dataclasses import replace
from typing import Any

import pytest

from sparkscore.errors import ConfigError
from sparkscore.records.answer_schemas import to_mlflow_type
from sparkscore.workloads.endpoints.answer_formats import AnswerRefused, ClassAnswers, JsonAnswers, choose_answer_format
from sparkscore.workloads.endpoints.endpoint_spec import AnswerSpec
from tests.workloads.endpoints.misbehaving_server import Asked, Reaction, complete, serving
from tests.workloads.endpoints.test_endpoint_model import SPEC, ask, codes

SCHEMA = {
    "type": "object",
    "properties": {
        "label": {"type": "string", "enum": ["good", "bad"]},
        "score": {"type": "number"},
        "count": {"type": ["integer", "null"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "of": {"type": "object", "properties": {"name": {"type": "string"}}},
    },
    "required": ["label", "score"],
}
JSON = AnswerSpec("json", schema=json.dumps(SCHEMA), request="json_schema")


@pytest.mark.parametrize("text", ["bad", " Bad.", '"bad"', "**BAD**", "The answer is: bad"])
def test_a_class_is_told_from_what_is_around_it(text: str) -> None:
    assert ClassAnswers(["good", "bad"]).parse_answer(text) == "bad"


@pytest.mark.parametrize("text", ["", "badly", "good or bad", "secret"])
def test_what_names_no_class_or_several_is_none(text: str) -> None:
    with pytest.raises(AnswerRefused) as refused:
        ClassAnswers(["good", "bad"]).parse_answer(text)
    assert refused.value.repair == 'Answer with exactly one of "good", "bad", and nothing else.'


def test_json_has_the_types_of_its_schema_and_nothing_else() -> None:
    formats = JsonAnswers(SCHEMA, "json_schema")
    text = '```json\n{"label": "good", "score": 1, "count": 2.0, "more": 1, "of": {"name": "x", "y": 1}}\n```'
    assert formats.parse_answer(text) == {
        "label": "good",
        "score": 1.0,
        "count": 2,
        "tags": None,
        "of": {"name": "x"},
    }
    (column,) = formats.describe_columns()
    assert column["properties"]["count"] == {"type": "long", "required": False}
    assert column["properties"]["label"] == {"type": "string", "required": True}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("secret", "no JSON"),
        ("[1]", "type"),
        ('{"label": "secret", "score": 1}', "label.enum"),
        ('{"label": "good", "score": "secret"}', "score.type"),
        ('{"label": "good"}', "required"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_what_does_not_meet_the_schema_is_refused_without_a_word_of_it(text: str, found: str) -> None:
    with pytest.raises(AnswerRefused, match=found) as refused:
        JsonAnswers(SCHEMA, "none").parse_answer(text)
    assert "secret" not in f"{refused.value} {refused.value.repair}"


@pytest.mark.parametrize("schema", [{}, {"type": ["string", "integer"]}, {"type": "array"}, {"type": "object"}])
def test_a_schema_without_a_single_type_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        to_mlflow_type(schema)


def test_a_schema_that_is_none_is_refused() -> None:
    wrong = json.dumps({"type": "object", "properties": {"a": {"type": "string", "minLength": "x"}}})
    with pytest.raises(ConfigError, match="no JSON schema"):
        choose_answer_format(AnswerSpec("json", schema=wrong))


def test_the_endpoint_is_asked_for_the_schema_and_once_more_where_an_answer_does_not_meet_it() -> None:
    def react(asked: Asked) -> Reaction:
        is_repair = len(asked.body["messages"]) == 3
        return complete('{"label": "good", "score": 1}' if is_repair else '{"label": "good"}')

    with serving(react) as script:
        scored = ask(script, ["x"], replace(SPEC, answers=JSON))
    first, second = script.asked
    assert first.body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert [message["role"] for message in second.body["messages"]] == ["user", "assistant", "user"]
    assert scored.predictions[0]["answer"]["score"] == 1.0
    assert scored.counts["repair_requests"] == 1
    assert scored.predictions[0]["completion_tokens"] == 2 + 4


def test_a_row_whose_answer_is_wrong_twice_is_rejected_and_paid_twice_at_most() -> None:
    with serving(lambda asked: complete("none of it")) as script:
        scored = ask(script, ["x", "y"], replace(SPEC, answers=AnswerSpec("class", ("good", "bad"))))
    assert codes(scored) == {0: "invalid_answer", 1: "invalid_answer"}
    assert len(script.paid) == 4
