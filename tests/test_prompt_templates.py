"""Templates of prompts: columns in braces, and nothing else."""

import pytest

from sparkscore.records.prompt_templates import PromptTemplate


def test_columns_are_replaced_once_and_braces_are_doubled() -> None:
    template = PromptTemplate.parse('{a b} {{"x": {c}}} {a b}')
    assert template.columns == ("a b", "c")
    assert template.render({"a b": "{c}", "c": "{{a b}}"}) == '{c} {"x": {{a b}}} {c}'


@pytest.mark.parametrize("text", ["{", "}", "a {b", "a b}", "{}", "{ a}", "{a{b}}", "{{}"])
def test_other_braces_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="character"):
        PromptTemplate.parse(text)


@pytest.mark.parametrize("text", ["{a.b}", "{a!r}", "{a:>10}", "{a[0]}"])
def test_formats_and_attributes_are_names_of_columns(text: str) -> None:
    assert PromptTemplate.parse(text).columns == (text[1:-1],)
