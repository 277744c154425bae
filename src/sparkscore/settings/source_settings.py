"""Settings of the source: its table, its keys and its filter."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, field_validator, model_validator

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


class SourceSettings(FrozenSettings):
    """What is scored."""

    table: str = Field(
        description="the table to score: catalog name, path, or plain name (a table under the home folder)"
    )
    keys: tuple[str, ...] = Field(min_length=1, description="columns whose values identify a row")
    version: Annotated[int, Field(ge=0)] | Literal["latest", "as_of"] = Field(
        default="latest", description="Delta version: latest, an integer, or as_of (the newest version at that time)"
    )
    where: tuple[FilterCondition, ...] = Field(default=(), description='filter: [{column: month, op: ">=", value: 10}]')
    passthrough: tuple[str, ...] = Field(default=(), description="source columns to copy next to each prediction")
    sensitive: tuple[str, ...] = Field(
        default=(), description="columns whose values appear in no reject, log, error or report"
    )

    @field_validator("keys", "passthrough", "sensitive")
    @classmethod
    def _refuse_repeated_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"named twice: {', '.join(repeated)}")
        return names

    @model_validator(mode="after")
    def _refuse_keys_in_passthrough(self) -> Self:
        both = sorted(set(self.keys) & set(self.passthrough))
        if both:
            raise ValueError(f"keys are always in the prediction table; remove from passthrough: {', '.join(both)}")
        return self
