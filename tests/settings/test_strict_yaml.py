"""YAML that people write: nothing in it is dropped without a word, and nothing exhausts the process."""

from datetime import date
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.settings.strict_yaml import PlainScalar, bare_value, load_scalars, load_yaml
from sparkscore.settings.yaml_survey import RefusedYaml

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.dates()
    | st.datetimes()
    | st.binary()
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(SCALARS, inner), max_leaves=8)
TEXT_KEYED = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)
LAUGHS = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 20))
MERGES = "".join(f"l{n}: &l{n} {{<<: [{', '.join([f'*l{n - 1}'] * 10)}]}}\n" for n in range(1, 20))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gate: 1\nb: 2\ngate: 3", "gate stands twice: in lines 1 and 3"),
        ("a:\n  b: 1\n  c:\n    - {x: 1}\n    - {x: 1, x: 2}\n  b: 2", "a.b stands twice: in lines 2 and 6; a.c.1.x"),
        ("a: 1\n'a': 1\n\"\\x61\": 1", "a stands 3 times: in lines 1, 2 and 3"),
        ("1: a\n0x1: b", "1 stands twice: in lines 1 and 2, as 1 and 0x1"),
        ("yes: a\ntrue: b", "yes stands twice: in lines 1 and 2, as yes and true"),
        ("1: a\ntrue: b", "1 stands twice"),
        (".nan: a\n.NaN: b", ".nan stands twice"),
        ("~: a\nnull: b", "~ stands twice"),
        ("2013-10-01: a\n2013-10-01: b", "2013-10-01 stands twice"),
        ("base: &b {x: 1}\na:\n  <<: *b\n  <<: *b", "a.<< stands twice: in lines 3 and 4"),
        ("base: &b {x: 1}\na:\n  <<: *b\n  x: 2\n  x: 3", "a.x stands twice: in lines 4 and 5"),
        ("a: {<<: {x: 1, x: 2}}", "a.<<.x stands twice in line 1"),
        ("!!set {a, a}", "a stands twice in line 1"),
        ("? [a]\n: 1", "line 1 has a list or a mapping as a key"),
        ("job: {{ ds }}", "line 1 has a list or a mapping as a key of job"),
        ("a: &a [*a]", "an alias inside of what it names, which begins in line 1"),
        ("a: &a {b: *a}", "an alias inside of what it names"),
        ("[" * 100_000, "nested more than 64 levels"),
        ("{a: " * 1000, "nested more than 64 levels"),
        ("l0: &l0 [1]\n" + "".join(f"l{n}: &l{n} [*l{n - 1}]\n" for n in range(1, 3000)), "nested more than 64 levels"),
        ("l0: &l0 [x, x]\n" + LAUGHS, "aliases multiply what begins in line 5 to 31,111 values"),
        ("l0: &l0 {x: x}\n" + MERGES, "aliases multiply"),
        ("a: 2013-02-30", "line 1 holds what looks like a YAML timestamp and is none"),
        ("a:\n  b: 0x_", "line 2 holds what looks like a YAML int"),
        ("a: !!bool x", "line 1 holds what looks like a YAML bool"),
        ("a: !!timestamp x", "line 1 holds what looks like a YAML timestamp"),
        (f"a: {'9' * 5000}", "line 1 holds what looks like a YAML int"),
    ],
    ids=lambda value: value[:20],
)
def test_what_does_not_say_one_thing_is_refused(text: str, found: str) -> None:
    with pytest.raises(RefusedYaml) as caught:
        load_yaml(text)
    assert caught.value.found.startswith(found) or found in caught.value.found


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("base: &b {x: 1, y: 2}\na: {<<: *b, x: 3}", {"base": {"x": 1, "y": 2}, "a": {"x": 3, "y": 2}}),
        ("a: {<<: [{x: 1}, {x: 2}], y: 3}", {"a": {"x": 1, "y": 3}}),
        ('a: {"<<": 1, y: 3}', {"a": {"<<": 1, "y": 3}}),
        ("a: &a [1]\nb: [*a, *a]", {"a": [1], "b": [[1], [1]]}),
        ("x: {a: 1}\ny: {a: 1}\na: 1", {"x": {"a": 1}, "y": {"a": 1}, "a": 1}),
        ("1: a\n'1': b", {1: "a", "1": "b"}),
        ("op: =", {"op": "="}),
        ("", None),
        ("[" * 63 + "]" * 63, yaml.safe_load("[" * 63 + "]" * 63)),
        (f"[{'x, ' * 10_100}]", ["x"] * 10_100),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_says_one_thing_is_read(text: str, content: object) -> None:
    assert load_yaml(text) == content


@given(VALUES, st.booleans())
def test_any_yaml_without_repeats_is_what_yaml_makes_of_it(value: Any, flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow)
    assert repr(load_yaml(text)) == repr(yaml.safe_load(text))


@given(st.dictionaries(st.text(), VALUES, min_size=1), st.data())
def test_any_mapping_with_one_key_repeated_is_refused(content: dict[str, Any], data: st.DataObject) -> None:
    again = {data.draw(st.sampled_from(sorted(content))): data.draw(VALUES)}
    text = yaml.safe_dump(content, default_flow_style=False) + yaml.safe_dump(again, default_flow_style=False)
    with pytest.raises(RefusedYaml, match="stands twice"):
        load_yaml(text)


def test_a_value_that_is_no_text_keeps_how_it_was_written() -> None:
    content = load_scalars("a: no\nb: [01234, 2013-10-01, 'no', x]\nc:", "job.yaml")
    assert content == {
        "a": PlainScalar(False, "no", "job.yaml, line 1"),
        "b": [
            PlainScalar(668, "01234", "job.yaml, line 2"),
            PlainScalar(date(2013, 10, 1), "2013-10-01", "job.yaml, line 2"),
            "no",
            "x",
        ],
        "c": PlainScalar(None, "", "job.yaml, line 3"),
    }
    assert bare_value(content) == {"a": False, "b": [668, date(2013, 10, 1), "no", "x"], "c": None}


@given(st.dictionaries(st.text(), TEXT_KEYED))
def test_the_bare_values_are_what_yaml_makes_of_it(content: dict[str, Any]) -> None:
    text = yaml.safe_dump(content)
    assert repr(bare_value(load_scalars(text, ""))) == repr(yaml.safe_load(text))


@pytest.mark.parametrize(("key", "read"), [("on", "true"), ("1", "the number 1"), ("~", "null")])
def test_a_key_that_yaml_does_not_read_as_text_is_refused(key: str, read: str) -> None:
    with pytest.raises(RefusedYaml) as caught:
        load_scalars(f"a:\n  {key}: x", "job.yaml")
    assert caught.value.found == f"line 2: YAML reads the key a.{key} as {read}"
    assert caught.value.do == f'write "{key}", in quotes'
