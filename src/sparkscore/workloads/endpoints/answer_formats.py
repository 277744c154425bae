"""What an answer has to be, and what becomes of it: text, a class, or JSON by a schema. Pure. Runs on executors.

No message about an answer holds a part of it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sparkscore.errors import ConfigError
from sparkscore.records.answer_schemas import fit_to_schema, to_mlflow_type
from sparkscore.workloads.endpoints.endpoint_spec import AnswerSpec

_FENCE = re.compile(r"^```[A-Za-z]*\s*\n(.*)\n\s*```$", re.DOTALL)
_MOST_PROBLEMS = 5


class AnswerRefused(Exception):
    """An answer is not what it has to be."""

    def __init__(self, reason: str, *, repair: str | None = None) -> None:
        super().__init__(reason)
        self.repair = repair
        """What is said to the model so that it answers better; None: nothing helps."""


class AnswerFormat(Protocol):
    """One kind of answer."""

    def response_format(self) -> Mapping[str, Any] | None:
        """What the request asks for, where the endpoint knows it; None: nothing."""

    def describe_columns(self) -> Sequence[Mapping[str, Any]]:
        """The columns of an answer, as MLflow's signature has them in JSON; one is called `answer`."""

    def parse_answer(self, text: str) -> Any:
        """The value of the column `answer`.

        Raises:  AnswerRefused.
        """


@dataclass(frozen=True, slots=True)
class TextAnswers:
    """Any text."""

    def response_format(self) -> Mapping[str, Any] | None:
        """Nothing is asked for."""
        return None

    def describe_columns(self) -> Sequence[Mapping[str, Any]]:
        """One text."""
        return ({"name": "answer", "type": "string", "required": True},)

    def parse_answer(self, text: str) -> Any:
        """The text as it is."""
        return text


@dataclass(frozen=True, slots=True)
class ClassAnswers:
    """One of some classes."""

    classes: Sequence[str]

    def response_format(self) -> Mapping[str, Any] | None:
        """Nothing is asked for: the prompt says what the classes mean."""
        return None

    def describe_columns(self) -> Sequence[Mapping[str, Any]]:
        """One text."""
        return ({"name": "answer", "type": "string", "required": True},)

    def parse_answer(self, text: str) -> Any:
        """The class that the answer is, whatever its case and its quotes; else the only one that it names."""
        said = text.strip().strip("\"'`*.").casefold()
        named = [one for one in self.classes if one.casefold() == said] or [
            one for one in self.classes if re.search(rf"(?<!\w){re.escape(one.casefold())}(?!\w)", said)
        ]
        if len(named) == 1:
            return named[0]
        found = f"names {len(named)} classes" if named else "names none of the classes"
        choices = ", ".join(json.dumps(one, ensure_ascii=False) for one in self.classes)
        raise AnswerRefused(f"the answer {found}", repair=f"Answer with exactly one of {choices}, and nothing else.")


@dataclass(frozen=True, slots=True)
class JsonAnswers:
    """JSON that meets a schema."""

    schema: Mapping[str, Any]
    request: str
    """What is asked of the endpoint: json_schema, json_object or none."""
    _validator: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_validator", _build_validator(self.schema))

    def response_format(self) -> Mapping[str, Any] | None:
        """What endpoints call structured outputs."""
        if self.request == "json_schema":
            return {"type": "json_schema", "json_schema": {"name": "answer", "schema": self.schema, "strict": True}}
        return {"type": "json_object"} if self.request == "json_object" else None

    def describe_columns(self) -> Sequence[Mapping[str, Any]]:
        """An object with the schema's properties."""
        return ({"name": "answer", **to_mlflow_type(self.schema), "required": True},)

    def parse_answer(self, text: str) -> Any:
        """The object, also out of a fence of Markdown."""
        bare = text.strip()
        fenced = _FENCE.match(bare)
        try:
            value = json.loads(fenced[1] if fenced else bare)
        except (ValueError, RecursionError):
            raise AnswerRefused("the answer is no JSON", repair=self._write_repair("it is no JSON")) from None
        problems = [_describe_problem(problem) for problem in self._validator.iter_errors(value)][:_MOST_PROBLEMS]
        if problems:
            found = "; ".join(dict.fromkeys(problems))
            raise AnswerRefused(f"the answer does not meet the schema: {found}", repair=self._write_repair(found))
        return fit_to_schema(value, self.schema)

    def _write_repair(self, found: str) -> str:
        schema = json.dumps(self.schema, ensure_ascii=False)
        return f"Your answer is not valid: {found}. Answer again with JSON alone that meets this schema: {schema}"


def _describe_problem(problem: Any) -> str:
    """Where it is, by names that the schema has, and which rule is broken."""
    path = [str(part) for part in problem.absolute_schema_path if part not in ("properties", "items")]
    return ".".join(path)


def _build_validator(schema: Mapping[str, Any]) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ConfigError(
            f"llm.output.json_schema is no JSON schema: {error.message:.200}", "a schema of draft 2020-12", "correct it"
        ) from error
    return Draft202012Validator(schema)


def choose_answer_format(spec: AnswerSpec) -> AnswerFormat:
    """The format of these answers.

    Raises:  ConfigError for a schema that is none.
    """
    if spec.kind == "class":
        return ClassAnswers(spec.classes)
    if spec.kind == "json":
        return JsonAnswers(json.loads(spec.schema or "{}"), spec.request)
    return TextAnswers()
