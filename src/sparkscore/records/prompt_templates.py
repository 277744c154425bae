"""Templates of prompts: text with columns in braces. Pure; the settings check them, and executors fill them.

`{column}` is replaced by the row's value, `{{` and `}}` are braces. No attributes, no formats, no code. A value
is put in as it is: braces in the data stay braces.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """A template, cut into texts and columns."""

    parts: tuple[tuple[str, str | None], ...]
    """A text, and the column whose value follows it; None: none does."""

    @classmethod
    def parse(cls, template: str) -> "PromptTemplate":
        """Cut a template.

        Raises:  ValueError, which says what is wrong at which character.
        """
        return cls(tuple(_cut_template(template)))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names, in the order of their first use."""
        return tuple(dict.fromkeys(column for _, column in self.parts if column is not None))

    def render(self, values: Mapping[str, str]) -> str:
        """The text with each column's value in the place of its name, put in once and never looked at again."""
        return "".join(text if column is None else text + values[column] for text, column in self.parts)


def _cut_template(template: str) -> Iterator[tuple[str, str | None]]:
    text, end = "", 0
    for token in _TOKEN.finditer(template):
        text, end = text + template[end : token.start()], token.end()
        if token[0] in ("{{", "}}"):
            text += token[0][0]
        elif token[1] is None:
            raise ValueError(
                f"a single {token[0]} at character {token.start() + 1}; expected {{column}}, and {{{{ or }}}} for a"
                " brace"
            )
        else:
            yield text, _check_column(token[1], token.start() + 1)
            text = ""
    yield text + template[end:], None


def _check_column(name: str, character: int) -> str:
    if not name or name != name.strip():
        raise ValueError(f"{{{name}}} at character {character} names no column; expected {{column}}")
    return name
