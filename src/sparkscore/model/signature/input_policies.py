"""What the settings say about a model's inputs: `model.casts`, `model.missing`; and optional inputs that are absent.

Runs on the driver.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from sparkscore.errors import SignatureError
from sparkscore.model.signature.model_inputs import input_names
from sparkscore.model.signature.number_casts import CAST_TYPES, number_type
from sparkscore.model.signature.signature_check import suggest_similar_name
from sparkscore.records import ModelInput, PinnedModel

PASS, REJECT = "pass", "reject"
"""The words of `model.missing`; all else is the value that takes the place of a missing one."""

_FRAME_RUNTIMES = ("pyfunc", "sklearn")
"""What gives the model a frame, which may lack a column; the others give it arrays of all inputs."""

InputValue = bool | int | float | str


@dataclass(frozen=True, slots=True)
class InputPolicies:
    """What the settings say, by the model's inputs."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """`model.inputs`: the source column of an input, where names differ."""
    casts: Mapping[str, str] = field(default_factory=dict)
    """`model.casts`: MLflow's name of the input's type, where a cast may lose digits."""
    missing: Mapping[str, InputValue] = field(default_factory=dict)
    """`model.missing`: `pass`, `reject`, or the value in the place of NULL, NaN and infinities."""

    def column(self, name: str) -> str:
        """The source column of an input."""
        return self.columns.get(name, name)

    @property
    def rejecting(self) -> tuple[str, ...]:
        """The inputs whose missing values reject a row."""
        return tuple(name for name, wish in self.missing.items() if wish == REJECT)


def apply_input_policies(model: PinnedModel, schema: pa.Schema, policies: InputPolicies) -> PinnedModel:
    """The model with what the settings say about its inputs.

    An optional input that the source lacks is left out, as MLflow does, unless `model.missing` names it: then it is
    there, NULL or of that value.

    Raises:  SignatureError with every problem at once.
    """
    inputs = dict(zip(input_names(model.inputs), model.inputs, strict=True))
    absent = [name for name, one in inputs.items() if _is_absent(name, one, schema, policies)]
    _refuse_problems(model, [*_policy_problems(inputs, policies), *_absent_input_problems(model, absent, policies)])
    kept = {name: one for name, one in inputs.items() if name not in absent or name in policies.missing}
    return replace(model, inputs=tuple(_apply_policy(name, one, policies) for name, one in kept.items()))


def allow_input_casts(model: PinnedModel, casts: Mapping[str, str]) -> PinnedModel:
    """The model with casts of its inputs that may lose digits, whatever they come from.

    Raises:  SignatureError with every problem at once.
    """
    inputs, policies = dict(zip(input_names(model.inputs), model.inputs, strict=True)), InputPolicies(casts=casts)
    _refuse_problems(model, [*_policy_problems(inputs, policies)])
    return replace(model, inputs=tuple(_apply_policy(name, one, policies) for name, one in inputs.items()))


def _refuse_problems(model: PinnedModel, problems: Sequence[str]) -> None:
    if problems:
        raise SignatureError(
            "\n  ".join([f"the settings do not fit {model.name} version {model.version}:", *problems]),
            "settings for inputs of the model, in the types of its signature",
            "change model.casts or model.missing",
        )


def _is_absent(name: str, model_input: ModelInput, schema: pa.Schema, policies: InputPolicies) -> bool:
    is_left_to_chance = not model_input.required and model_input.name is not None and name not in policies.columns
    return is_left_to_chance and name not in schema.names


def _apply_policy(name: str, model_input: ModelInput, policies: InputPolicies) -> ModelInput:
    wish = policies.missing.get(name, PASS)
    fill = None if wish in (PASS, REJECT) else wish
    return replace(model_input, may_round=name in policies.casts, fill=fill)


def _policy_problems(inputs: Mapping[str, ModelInput], policies: InputPolicies) -> Iterator[str]:
    for setting, wishes in (("model.casts", policies.casts), ("model.missing", policies.missing)):
        for name in wishes:
            if name not in inputs:
                yield f"{setting} names {name}: no such input{suggest_similar_name(name, tuple(inputs))}"
    for name, wanted in policies.casts.items():
        if name in inputs and number_type(inputs[name].type) != CAST_TYPES.get(wanted):
            yield f"model.casts says {name}: {wanted}, and the model takes {inputs[name].type}"
    for name, wish in policies.missing.items():
        if name in inputs and wish not in (PASS, REJECT) and not _is_value_of_type(wish, inputs[name].type):
            found = f"{wish!r} ({type(wish).__name__})"
            yield f"model.missing says {name}: {found}, and the model takes {inputs[name].type}"


def _absent_input_problems(model: PinnedModel, absent: list[str], policies: InputPolicies) -> Iterator[str]:
    if len(absent) == len(model.inputs) and not set(absent) & set(policies.missing):
        yield f"the source has none of the model's inputs, which are all optional: {', '.join(absent)}"
        return
    for name in absent:
        if policies.missing.get(name) == REJECT:
            yield f"model.missing says {name}: {REJECT}, and the source lacks it: every row would be rejected"
        elif name not in policies.missing and model.runtime not in _FRAME_RUNTIMES:
            yield (
                f"the source lacks the optional input {name}, and the runtime {model.runtime} takes all inputs: set"
                f" model.missing: {{{name}: {PASS}}} for NULL, or to a value"
            )


def _is_value_of_type(value: InputValue, kind: pa.DataType) -> bool:
    """Whether the type holds the value exactly; floating numbers are rounded to it, and may not be infinite."""
    if isinstance(value, bool) or pa.types.is_boolean(kind):
        return isinstance(value, bool) and bool(pa.types.is_boolean(kind))
    if isinstance(value, str):
        return bool(pa.types.is_string(kind))
    try:
        number = pa.scalar(value, kind).as_py()
    except (pa.ArrowException, OverflowError, TypeError):
        return False
    return bool(pa.types.is_floating(kind) and abs(number) < float("inf")) or number == value
