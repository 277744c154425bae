"""Settings of a filter: typed conditions on columns, never SQL."""

from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import ModelWrapValidatorHandler, PrivateAttr, model_validator

from sparkscore.records import Condition, FilterOperator
from sparkscore.settings.frozen_settings import FrozenSettings
from sparkscore.settings.strict_yaml import PlainScalar, bare_value

_NULLS = " (to YAML, ~, null and nothing are NULL; in quotes they are text)"


@dataclass(frozen=True, slots=True)
class YamlTexts:
    """How a filter's values were written. Two filters with equal values are equal, however they were written."""

    texts: tuple[str | None, ...] = field(default=(), compare=False)


class FilterCondition(FrozenSettings):
    """One typed comparison: a column, an operator, a value. Never SQL."""

    column: str
    op: FilterOperator = "="
    value: Any = None
    _yaml_texts: YamlTexts = PrivateAttr(default_factory=YamlTexts)

    @model_validator(mode="wrap")
    @classmethod
    def _keep_yaml_texts(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Keep the text of a value that YAML has not read as text, until its column's type is known."""
        if not isinstance(data, dict):
            return handler(data)
        condition, value = handler(bare_value(data)), data.get("value")
        scalars = value if isinstance(value, list) else [value]
        texts = (scalar.text if isinstance(scalar, PlainScalar) else None for scalar in scalars)
        condition._yaml_texts = YamlTexts(tuple(texts))  # noqa: SLF001  of this class
        return condition

    @model_validator(mode="after")
    def _check_value_fits_operator(self) -> Self:
        if self.op in ("is null", "is not null"):
            if self.value is not None:
                raise ValueError(f"{self.op!r} takes no value")
        elif self.op in ("in", "not in"):
            if not isinstance(self.value, list) or not self.value or None in self.value:
                raise ValueError(f"{self.op!r} takes a list of values, none of them null{_NULLS}")
        elif self.value is None or isinstance(self.value, list | dict):
            raise ValueError(f"{self.op!r} takes one value; for NULL use 'is null'{_NULLS}")
        return self

    def to_condition(self) -> Condition:
        """The record that `ingest` reads."""
        value = tuple(self.value) if isinstance(self.value, list) else self.value
        return Condition(self.column, self.op, value, yaml_texts=() if value is None else self._yaml_texts.texts)
