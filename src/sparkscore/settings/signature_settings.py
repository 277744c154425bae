"""Settings of the signature of a model that was logged without one."""

import json
from typing import Any

from pydantic import Field, field_validator

from sparkscore.settings.frozen_settings import FrozenSettings
from sparkscore.settings.nested_values import NestedValue
from sparkscore.settings.signature_notation import SIGNATURE_WORDS, to_signature_specs

SignatureNotation = dict[str, NestedValue] | tuple[NestedValue, ...] | str


class SignatureSettings(FrozenSettings):
    """What a model takes and gives, where it was logged without a signature; it must agree with the one that it has."""

    inputs: SignatureNotation | None = Field(
        default=None,
        description="the columns that the model takes, where it does not say so: {name: type}, with MLflow's types",
        json_schema_extra={"expected": SIGNATURE_WORDS},
    )
    outputs: SignatureNotation | None = Field(
        default=None,
        description="what the model gives, where it does not say so: a type, or {name: type}, with MLflow's types",
        json_schema_extra={"expected": SIGNATURE_WORDS},
    )

    @field_validator("inputs", "outputs")
    @classmethod
    def _refuse_unreadable_notation(cls, notation: Any) -> Any:
        if notation is not None:
            to_signature_specs(notation)
        return notation

    def to_parts(self) -> dict[str, str]:
        """What is set, as MLflow writes it."""
        given = {"inputs": self.inputs, "outputs": self.outputs}
        return {side: json.dumps(to_signature_specs(one)) for side, one in given.items() if one is not None}
