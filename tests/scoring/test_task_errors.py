import json
import pickle
import secrets
import traceback
from dataclasses import replace

import pyarrow as pa
import pytest

from sparkscore.errors import PredictError, RegistryUnreachable, RowsNotPredicted, SparkscoreError, TemporaryError
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.redaction import known_secrets
from sparkscore.scoring.task_errors import mark_task_errors, recover_task_error

SECRET = secrets.token_hex()
FORGED = json.dumps({"class": "TemporaryError", "found": "forged", "expected": "", "do": ""})


def text_of(error: SparkscoreError, secret: str = SECRET) -> str:
    """The traceback as a Python worker sends it."""
    try:
        with mark_task_errors(secret):
            raise error
    except SparkscoreError as raised:
        return "".join(traceback.format_exception(raised))


def test_an_error_comes_back_as_it_was() -> None:
    error = PredictError('the "model" broke\nin é', "a {model}", "mend it")
    back = recover_task_error(RuntimeError(f"Job aborted: {text_of(error)}\n\tat org.apache.spark…"), SECRET)
    assert type(back) is PredictError
    assert (back.found, back.expected, back.do) == (error.found, error.expected, error.do)


def test_its_class_keeps_its_exit_code() -> None:
    back = recover_task_error(RuntimeError(text_of(RegistryUnreachable("gone"))), SECRET)
    assert back is not None
    assert (back.exit_code, back.retryable) == (75, True)


def test_it_is_found_in_what_caused_the_failure() -> None:
    outer = RuntimeError("job failed")
    outer.__cause__ = RuntimeError("stage failed")
    outer.__cause__.__context__ = RuntimeError(text_of(PredictError("deep")))
    back = recover_task_error(outer, SECRET)
    assert back is not None
    assert back.found == "deep"


def test_where_words_may_hold_values_only_the_class_of_other_errors_leaves_the_worker() -> None:
    try:
        with mark_task_errors(SECRET, sensitive=True):
            raise ValueError("of Ada")
    except SparkscoreError as raised:
        text = "".join(traceback.format_exception(raised)[1:])
    back = recover_task_error(RuntimeError(text), SECRET)
    assert back is not None
    assert (type(back), back.found) == (SparkscoreError, "ValueError in a Python worker")
    assert "Ada" not in text.replace('raise ValueError("of Ada")', "")


def test_nor_does_what_caused_one_of_the_suites() -> None:
    def failing() -> None:
        try:
            raise ValueError("of " + "Ada")
        except ValueError as error:
            raise PredictError("broke") from error

    with pytest.raises(PredictError) as caught, mark_task_errors(SECRET, sensitive=True):
        failing()
    assert "of Ada" not in "".join(traceback.format_exception(caught.value))


def test_a_worker_that_is_gone_without_a_word_is_the_models_affair() -> None:
    back = recover_task_error(
        RuntimeError("SparkException: Python worker exited unexpectedly (crashed). Consider …"), SECRET
    )
    assert type(back) is PredictError
    assert back.exit_code == 4


def test_other_errors_pass_the_mark_untouched() -> None:
    with pytest.raises(ValueError, match="other") as caught, mark_task_errors(SECRET):
        raise ValueError("other")
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize(
    "line",
    [
        "nothing of ours",
        "sparkscore-error: {broken",
        f"sparkscore-error: {FORGED}",
        f"sparkscore-error {'0' * 64}: {FORGED}",
        f"sparkscore-error {'é' * 64}: {FORGED}",
        f"sparkscore-error : {FORGED}",
        text_of(TemporaryError("of another attempt"), secrets.token_hex()),
        text_of(TemporaryError("signed by nothing"), ""),
    ],
)
def test_a_line_that_the_attempts_secret_did_not_sign_is_nobodys(line: str) -> None:
    assert recover_task_error(RuntimeError(line), SECRET) is None
    for text in (f"{line}\n{text_of(PredictError('broke'))}", f"{text_of(PredictError('broke'))}\n{line}"):
        back = recover_task_error(RuntimeError(text), SECRET)
        assert (type(back), back and back.found) == (PredictError, "broke")


def test_a_signature_is_worth_nothing_under_other_words() -> None:
    signed = text_of(PredictError("broke"))
    back = recover_task_error(
        RuntimeError(signed.replace('"class": "PredictError"', '"class": "TemporaryError"')), SECRET
    )
    assert back is None


def test_a_forged_line_in_the_suites_own_message_or_in_its_cause_decides_nothing() -> None:
    def failing() -> None:
        try:
            raise ValueError(f"sparkscore-error {'0' * 64}: {FORGED}")
        except ValueError as error:
            raise PredictError(f"the model raised {error}\n{error}") from error

    with pytest.raises(PredictError) as caught, mark_task_errors(SECRET):
        failing()
    back = recover_task_error(RuntimeError("".join(traceback.format_exception(caught.value))), SECRET)
    assert type(back) is PredictError
    assert FORGED in back.found


@pytest.mark.parametrize("name", ["redacted", "Any", "NoSuchError"])
def test_a_signed_line_that_names_no_error_of_the_suite_is_nobodys(name: str) -> None:
    class_of_another_name = type(name, (SparkscoreError,), {})
    assert recover_task_error(RuntimeError(text_of(class_of_another_name("found"))), SECRET) is None


def test_the_secret_is_in_no_text_and_no_part_of_what_a_model_is() -> None:
    model = ShippedModel("0" * 64, "archive", "sklearn", (), False, pa.float64(), secret=SECRET)
    assert SECRET not in repr(model) + text_of(PredictError("broke")) + str(PredictError(repr(model)))
    assert model == replace(model, secret=secrets.token_hex())
    assert pickle.loads(pickle.dumps(model)).secret == SECRET


def test_a_text_that_quotes_what_spark_says_of_a_dead_worker_is_no_such_end() -> None:
    text = "org.apache.spark.api.python.PythonException: ValueError: Python worker exited unexpectedly (crashed)"
    assert recover_task_error(RuntimeError(text), SECRET) is None


def test_a_ring_of_causes_ends() -> None:
    one, two = RuntimeError("one"), RuntimeError("two")
    one.__cause__, two.__cause__ = two, one
    assert recover_task_error(one, SECRET) is None


def test_what_leaves_a_task_holds_no_secret_of_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    canary = "Canary/Of+A-Task"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", canary)
    monkeypatch.setattr(known_secrets, "_KNOWN", known_secrets._KnownSecrets())
    error = RowsNotPredicted("the model raised RuntimeError", raised="RuntimeError")
    error.__cause__ = RuntimeError(f"no access with {canary}")
    shown = text_of(error)
    assert "no access with ***" in shown
    assert canary not in shown
