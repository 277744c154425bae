"""The prompts of a batch of rows, and the rows that have none. Runs on executors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkscore.records.prompt_templates import PromptTemplate
from sparkscore.records.scored_rows import RowReject
from sparkscore.workloads.endpoints.endpoint_spec import EndpointSpec

_ALLOWED_CONTROLS = "\t\n\r"
_DROPPED_CONTROLS = {code: None for code in (*range(32), 127) if chr(code) not in _ALLOWED_CONTROLS}


@dataclass(frozen=True, slots=True)
class RowPrompt:
    """What is asked for a row."""

    prompt: str
    system: str | None = None


NULL_INPUT = RowReject("null_input", "a column of the prompt is NULL, and llm.nulls is reject")
EMPTY_PROMPT = RowReject("empty_prompt", "the prompt of this row is empty")


class PromptWriter:
    """Fills the templates of a spec."""

    def __init__(self, spec: EndpointSpec) -> None:
        self._prompt = PromptTemplate.parse(spec.prompt)
        self._system = None if spec.system is None else PromptTemplate.parse(spec.system)
        self._null_text = spec.null_text

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the templates name."""
        system = () if self._system is None else self._system.columns
        return tuple(dict.fromkeys((*self._prompt.columns, *system)))

    def write_prompts(self, columns: Mapping[str, Sequence[Any]]) -> Iterator[RowPrompt | RowReject]:
        """The prompt of each row, or why there is none.

        Needs:   the values of `columns`, each a list with one per row.
        """
        names = self.columns
        for row in zip(*(columns[name] for name in names), strict=True):
            texts = [_write_value(value) for value in row]
            if self._null_text is None and None in texts:
                yield NULL_INPUT
                continue
            values = {name: self._null_text if text is None else text for name, text in zip(names, texts, strict=True)}
            yield self._write_prompt({name: text or "" for name, text in values.items()})

    def _write_prompt(self, values: Mapping[str, str]) -> RowPrompt | RowReject:
        prompt = self._prompt.render(values)
        if not prompt.strip() or not any(values[name].strip() for name in self._prompt.columns):
            return EMPTY_PROMPT
        return RowPrompt(prompt, None if self._system is None else self._system.render(values))


def _write_value(value: Any) -> str | None:
    """The text of a value: no control characters, no lone surrogates, invalid UTF-8 as U+FFFD."""
    if value is None or value != value:  # NaN  # noqa: PLR0124
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    elif isinstance(value, bool):
        value = "true" if value else "false"
    elif not isinstance(value, str):
        value = str(value)
    clean: str = value.translate(_DROPPED_CONTROLS)
    return clean.encode("utf-8", "replace").decode("utf-8") if not clean.isascii() else clean
