"""Keys that stand twice in one object of JSON."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.settings.repeated_keys import RepeatedKeys, find_repeated_keys, load_json

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1,\n "b": 2,\n "a": 3}', "a stands twice: in lines 1 and 3"),
        ('{"a": 1, "a": 1}', "a stands twice in line 1"),
        ('{"a": 1,\n"a": 1,\n"a": 1}', "a stands 3 times: in lines 1, 2 and 3"),
        ('{"e": [{}, {"k": {"c": 1,\r\n"c": 2}}]}', "e.1.k.c stands twice: in lines 1 and 2"),
        ('{"\\u0061": "}",\n"a": "{"}', "a stands twice: in lines 1 and 2"),
        ('{"a\\"b\\\\": 1,\n"a\\"b\\\\": 2}', 'a"b\\ stands twice: in lines 1 and 2'),
        ('{"x": {"a": 1}, "y": {"a": [{"a": 1}, {"a": 2}]}, "a": "a", "b": ["a", "a"]}', ""),
    ],
)
def test_a_repeated_key_is_named_with_its_path_and_lines(text: str, words: str) -> None:
    assert "; ".join(repeat.description for repeat in find_repeated_keys(text)) == words


def test_all_repeated_keys_are_named_at_once() -> None:
    with pytest.raises(RepeatedKeys) as caught:
        load_json('{"a": {"b": 1,\n"b": 2},\n"a": 3}')
    assert str(caught.value) == "a.b stands twice: in lines 1 and 2; a stands twice: in lines 1 and 3"


def test_a_repeated_key_before_a_mistake_is_named() -> None:
    with pytest.raises(RepeatedKeys, match="a stands twice"):
        load_json('{"b": {"a": 1, "a": 2}, ]]}')


def test_json_nested_beyond_any_use_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        load_json("[" * 200_000)


@given(VALUES, st.sampled_from([None, 1]))
def test_any_json_without_repeats_is_what_json_makes_of_it(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert load_json(text) == json.loads(text)
    assert find_repeated_keys(text) == []


@given(st.dictionaries(st.text(), VALUES, min_size=1), st.data())
def test_any_object_with_one_key_repeated_is_refused(content: dict[str, Any], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(content)))
    text = json.dumps(content, indent=1)[:-1] + f",{json.dumps(key)}: {json.dumps(data.draw(VALUES))}}}"
    assert [(one.path, len(one.lines)) for one in find_repeated_keys(text)] == [(key, 2)]
