import traceback

import pytest

from sparkscore.errors import PredictError, RegistryUnreachable, SparkscoreError
from sparkscore.scoring.failures import marked, translated


def text_of(error: SparkscoreError) -> str:
    """The traceback as a Python worker sends it."""
    try:
        with marked():
            raise error
    except SparkscoreError as raised:
        return "".join(traceback.format_exception(raised))


def test_an_error_comes_back_as_it_was() -> None:
    error = PredictError('the "model" broke\nin é', "a {model}", "mend it")
    back = translated(RuntimeError(f"Job aborted: {text_of(error)}\n\tat org.apache.spark…"))
    assert type(back) is PredictError
    assert (back.found, back.expected, back.do) == (error.found, error.expected, error.do)


def test_its_class_keeps_its_exit_code() -> None:
    back = translated(RuntimeError(text_of(RegistryUnreachable("gone"))))
    assert back is not None
    assert (back.exit_code, back.retryable) == (75, True)


def test_it_is_found_in_what_caused_the_failure() -> None:
    outer = RuntimeError("job failed")
    outer.__cause__ = RuntimeError("stage failed")
    outer.__cause__.__context__ = RuntimeError(text_of(PredictError("deep")))
    back = translated(outer)
    assert back is not None
    assert back.found == "deep"


def test_where_words_may_hold_values_only_the_class_of_other_errors_leaves_the_worker() -> None:
    try:
        with marked(sensitive=True):
            raise ValueError("of Ada")
    except SparkscoreError as raised:
        text = "".join(traceback.format_exception(raised)[1:])
    back = translated(RuntimeError(text))
    assert back is not None
    assert (type(back), back.found) == (SparkscoreError, "ValueError in a Python worker")
    assert "Ada" not in text.replace('raise ValueError("of Ada")', "")


def test_nor_does_what_caused_one_of_the_suites() -> None:
    def failing() -> None:
        try:
            raise ValueError("of " + "Ada")
        except ValueError as error:
            raise PredictError("broke") from error

    with pytest.raises(PredictError) as caught, marked(sensitive=True):
        failing()
    assert "of Ada" not in "".join(traceback.format_exception(caught.value))


def test_a_worker_that_is_gone_without_a_word_is_the_models_affair() -> None:
    back = translated(RuntimeError("SparkException: Python worker exited unexpectedly (crashed). Consider …"))
    assert type(back) is PredictError
    assert back.exit_code == 4


def test_other_errors_pass_the_mark_untouched() -> None:
    with pytest.raises(ValueError, match="other") as caught, marked():
        raise ValueError("other")
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize(
    "text",
    [
        "nothing of ours",
        "sparkscore-error: {broken",
        "sparkscore-error: {broken}",
        'sparkscore-error: {"class": "redacted", "found": "", "expected": "", "do": ""}',
        'sparkscore-error: {"class": "Any", "found": "", "expected": "", "do": ""}',
        'sparkscore-error: {"class": "PredictError"}',
    ],
)
def test_a_text_that_is_not_ours_is_nobodys(text: str) -> None:
    assert translated(RuntimeError(text)) is None


def test_a_ring_of_causes_ends() -> None:
    one, two = RuntimeError("one"), RuntimeError("two")
    one.__cause__, two.__cause__ = two, one
    assert translated(one) is None
