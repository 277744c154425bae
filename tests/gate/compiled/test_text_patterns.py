"""Patterns that RE2 matches beside Spark's own answer, over random patterns and texts in which line ends abound."""

from collections.abc import Sequence
from contextlib import suppress
from random import Random

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import ScanUnsupported
from sparkscore.gate.compiled.arrow_literals import NoArrowForm
from sparkscore.gate.compiled.arrow_masks import pattern_mask
from sparkscore.gate.compiled.text_patterns import translate_java_regex, translate_like_pattern

_CHARACTERS = "aabbAZ059_-. \t\x0b\n\r\u0085\u2028é\U0001f600\U00010000\uffff"
_CLASSES = ["[ab]", "[^a]", "[a-z0-9_]", "[^\\d]", "[\\w.-]", "[-b]", "[A-Za-z]", "[^\\s]", "[ \\t]", "[^\\n\\r]"]
_ATOMS = [*"abA0_- ", *_CLASSES, ".", ".", "\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "\\.", "\\-"]
_COUNTS = ["", "", "", "*", "+", "?", "{2}", "{1,}", "{0,2}", "{1,3}", "*?", "+?", "??", "{2}?"]


def _draw_text(dice: Random, alphabet: str) -> str:
    return "".join(dice.choices(alphabet, k=dice.randint(0, 6)))


def _draw_choices(dice: Random, depth: int = 0) -> str:
    return "|".join(_draw_sequence(dice, depth) for _ in range(dice.choice([1, 1, 1, 2, 3])))


def _draw_sequence(dice: Random, depth: int) -> str:
    pieces = [_draw_atom(dice, depth) + dice.choice(_COUNTS) for _ in range(dice.randint(1, 4))]
    return dice.choice(["", "", "^"]) + "".join(pieces) + dice.choice(["", "", "$"])


def _draw_atom(dice: Random, depth: int) -> str:
    if depth < 2 and dice.random() < 0.2:
        return f"{dice.choice(['(', '(?:'])}{_draw_choices(dice, depth + 1)})"
    return str(dice.choice(_ATOMS))


def _matches(pattern: str, texts: Sequence[str]) -> list[bool]:
    batch = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.string())})
    return [bool(found) for found in pattern_mask("text", pattern, batch).to_pylist()]


def _spark_matches(spark: SparkSession, predicates: Sequence[str], texts: Sequence[str]) -> list[list[bool]]:
    """Per predicate, for each text."""
    frame = spark.createDataFrame(pa.table({"text": texts}), "text string").coalesce(1)
    row = frame.agg(*[F.collect_list(F.expr(predicate)) for predicate in predicates]).collect()[0]
    return [list(found) for found in row]


def _quote(text: str) -> str:
    """A literal of SQL that is the text, whatever it holds."""
    return f"decode(unhex('{text.encode().hex()}'), 'UTF-8')"


@pytest.mark.parametrize("seed", range(4))
def test_regular_expressions_match_what_java_matches(spark: SparkSession, seed: int) -> None:
    dice, translated = Random(seed), {}
    for regex in [_draw_choices(dice) for _ in range(400)]:
        with suppress(NoArrowForm):
            translated[regex] = translate_java_regex(regex)
    assert 100 < len(translated) < 390
    texts = [_draw_text(dice, _CHARACTERS) for _ in range(150)]
    java = _spark_matches(spark, [f"text rlike {_quote(regex)}" for regex in translated], texts)
    for (regex, pattern), found in zip(translated.items(), java, strict=True):
        assert (regex, _matches(pattern, texts)) == (regex, found)


def test_like_patterns_match_what_spark_matches(spark: SparkSession) -> None:
    dice = Random(1)
    texts = [_draw_text(dice, _CHARACTERS) for _ in range(150)]
    drawn = [_draw_text(dice, "aabA%%__.\n\r\u0085é") for _ in range(150)]
    patterns = [pattern.replace("b", "#%").replace("A", "#_") for pattern in drawn]
    found = _spark_matches(spark, [f"text like {_quote(one)} escape '#'" for one in patterns], texts)
    for pattern, matches in zip(patterns, found, strict=True):
        assert (pattern, _matches(translate_like_pattern(pattern, "#"), texts)) == (pattern, matches)


def test_every_character_of_ascii_is_matched_as_java_matches_it(spark: SparkSession) -> None:
    texts = [chr(code) for code in range(1, 256)]
    pieces = [".", "\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "[^a]", "[\\s\\d]", "[^\\w]", "[!-]", "\\t|\\n|\\r|\\f"]
    literals = [chr(code) for code in range(32, 127) if chr(code) not in "\\^$.|?*+()[]{}"]
    escaped = [f"\\{chr(code)}" for code in range(32, 127) if not chr(code).isalnum()]
    listed = [f"[{chr(code)}]" for code in range(32, 127) if chr(code) not in "\\^[]&-"]
    regexes = [*pieces, *literals, *escaped, *listed]
    java = _spark_matches(spark, [f"text rlike {_quote(regex)}" for regex in regexes], texts)
    for regex, found in zip(regexes, java, strict=True):
        assert (regex, _matches(translate_java_regex(regex), texts)) == (regex, found)


@pytest.mark.parametrize(
    "regex",
    [
        *("", "|a", "a|", "()", "(a", "a)", "[", "[]", "[]a]", "[^]", "a{", "a{2", "a{3,1}", "*a", "a**", "\\"),
        *("a$b", "(a$)b", "(a$)*", "\\s$", "[^a]$", "(\\W|b)$", "^*", "(a*)*", "(a?){2}", "(^)+", "a*+", "a++"),
        *("(?i)a", "(?=a)", "(?<n>a)", "\\1", "\\bword", "\\p{L}", "\\Aa", "\\x41", "\\Qa", "\\é", "é", "a\nb", "\r$"),
        *("[a&&b]", "[[a]b]", "[a-z-9]", "[!--]", "[\\d-z]", "[a-\\d]", "[z-a]", "[\\r]$", "[.-9]", "[é]"),
        "(" * 30 + "a" + ")" * 30,
    ],
)
def test_what_could_mean_something_else_in_java_has_no_form(regex: str) -> None:
    with pytest.raises(NoArrowForm):
        translate_java_regex(regex)


def test_a_character_that_java_writes_as_two_has_no_form_in_a_like_pattern() -> None:
    with pytest.raises(NoArrowForm):
        translate_like_pattern("\U0001f600%", "\\")


def test_values_that_are_repeated_are_judged_alike() -> None:
    texts = [None, *[_draw_text(Random(seed), _CHARACTERS) for seed in range(150)]]
    few = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.string())})
    many = pa.RecordBatch.from_pydict({"text": pa.array(texts * 10, pa.string())})
    pattern = translate_java_regex("^[ab]+|9$")
    assert pattern_mask("text", pattern, many).to_pylist() == pattern_mask("text", pattern, few).to_pylist() * 10


def test_bytes_that_are_no_text_are_left_to_spark() -> None:
    text = pa.array([b"a\xff"], pa.binary()).view(pa.string())
    for column in (text, pa.concat_arrays([text] * 1_000)):
        with pytest.raises(ScanUnsupported, match="column text"):
            pattern_mask("text", "a", pa.RecordBatch.from_arrays([column], ["text"]))
    assert pc.match_substring_regex(text, "a").to_pylist() == [True]
