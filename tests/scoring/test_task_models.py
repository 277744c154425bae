"""What a task's models hear of its end, and what they count then."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host.model_variables import score_with_variables
from sparkscore.model.runtimes.batch_timeout import limit_batch_time
from sparkscore.model.runtimes.scorer import Scorer, build_local_scorer, find_task_end
from sparkscore.records import ModelInput
from sparkscore.scoring import task_models
from sparkscore.scoring.task_models import end_task_models, ending_models, make_model_loader

MODEL = ShippedModel("0" * 64, "", "pyfunc", (ModelInput("x", pa.float64(), True),), False, pa.float64())
ROWS = [pa.array([1.0])]


class Counts:
    """What was counted."""

    def __init__(self) -> None:
        self.loads, self.errors, self.told = 0, 0, list[Mapping[str, float]]()

    def add_load(self, seconds: float) -> None:
        self.loads += 1

    def add_model_counts(self, counts: Mapping[str, float]) -> None:
        self.told.append(counts)

    def add_task_end_error(self) -> None:
        self.errors += 1


def scorer(end_task: Callable[[], Any], model: ShippedModel = MODEL) -> Scorer:
    return build_local_scorer(model, lambda frame: frame["x"], end_task=end_task)


@pytest.fixture
def resident(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Scorer]]:
    """Models that are resident, by digest."""
    models: dict[str, Scorer] = {}
    monkeypatch.setattr(task_models, "get_resident_scorer", lambda model, on_load: models[model.digest])
    yield models
    assert task_models._used == {}


class TestTasks:
    def test_a_model_that_was_used_hears_of_the_end_once_and_its_counts_are_added(
        self, resident: dict[str, Scorer]
    ) -> None:
        resident[MODEL.digest], counts = scorer(lambda: {"open": 2}), Counts()
        with ending_models(counts):
            for _ in range(3):
                make_model_loader(MODEL, counts)()
        end_task_models()
        assert counts.told == [{"open": 2}]

    def test_it_hears_of_it_where_the_task_fails(self, resident: dict[str, Scorer]) -> None:
        resident[MODEL.digest], counts = scorer(lambda: {"open": 2}), Counts()
        with pytest.raises(KeyError):
            self.fail_in_task(counts)
        assert counts.told == [{"open": 2}]

    @staticmethod
    def fail_in_task(counts: Counts) -> None:
        with ending_models(counts):
            make_model_loader(MODEL, counts)()
            raise KeyError

    def test_one_that_was_not_used_and_one_that_does_not_want_to_know_hear_nothing(
        self, resident: dict[str, Scorer]
    ) -> None:
        resident[MODEL.digest], counts = build_local_scorer(MODEL, lambda frame: frame["x"]), Counts()
        load = make_model_loader(MODEL, counts)
        with ending_models(counts):
            pass
        with ending_models(counts):
            load()
        assert counts.told == []

    def test_each_is_counted_by_those_who_used_it(self, resident: dict[str, Scorer]) -> None:
        other, ours, theirs = replace(MODEL, digest="1" * 64), Counts(), Counts()
        resident |= {MODEL.digest: scorer(lambda: {"ours": 1}), other.digest: scorer(lambda: {"theirs": 1})}
        with ending_models():
            with ending_models(ours):
                make_model_loader(MODEL, ours)()
                make_model_loader(other, theirs)()
            assert (ours.told, theirs.told) == ([{"ours": 1}], [])
        assert theirs.told == [{"theirs": 1}]

    @pytest.mark.parametrize("counts", [{"Bad name": 1}, {"n": "1"}, [1], 7])
    def test_what_are_no_counts_is_an_error_that_fails_nothing(self, resident: dict[str, Scorer], counts: Any) -> None:
        resident[MODEL.digest], counted = scorer(lambda: counts), Counts()
        with ending_models(counted):
            make_model_loader(MODEL, counted)()
        assert (counted.told, counted.errors) == ([], 1)

    @pytest.mark.parametrize("error", [KeyError("Miller"), SystemExit(3)])
    def test_one_that_raises_fails_nothing_and_its_log_says_it(
        self, resident: dict[str, Scorer], error: BaseException, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail() -> None:
            raise error

        sensitive = replace(MODEL, sensitive=True)
        resident[MODEL.digest], counted = scorer(fail, sensitive), Counts()
        with ending_models(counted):
            make_model_loader(sensitive, counted)()
        assert (counted.told, counted.errors) == ([], 1)
        told = capsys.readouterr().err
        assert f"a model failed at the end of a task: {type(error).__name__}\n" in told


class TestScorers:
    def test_nothing_to_tell_is_fine_and_it_may_be_asynchronous(self) -> None:
        async def close() -> Mapping[str, float]:
            return {"closed": 1}

        for end, expected in ((lambda: None, {}), (close, {"closed": 1})):
            told = find_task_end(scorer(end))
            assert told is not None
            assert dict(told()) == expected

    def test_it_has_the_models_variables(self) -> None:
        model = replace(MODEL, environment=(("SPARKSCORE_TEST_KEY", "7"),))
        told = find_task_end(
            score_with_variables(scorer(lambda: {"key": int(os.environ["SPARKSCORE_TEST_KEY"])}), model)
        )
        assert told is not None
        assert told() == {"key": 7}
        assert "SPARKSCORE_TEST_KEY" not in os.environ

    def test_with_a_time_limit_one_that_hangs_is_left_alone_and_the_next_batch_is_predicted(self) -> None:
        score = limit_batch_time(scorer(lambda: time.sleep(600)), 0.2, cores=1, location="a test")
        told = find_task_end(score)
        assert told is not None
        with pytest.raises(TimeoutError):
            told()
        again = limit_batch_time(scorer(lambda: {"n": 1}), 60.0, cores=1, location="a test")
        assert again(ROWS).predictions.to_pylist() == [1.0]
        told = find_task_end(again)
        assert told is not None
        assert told() == {"n": 1}
