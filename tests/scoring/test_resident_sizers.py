"""Which sizes of batches a Python worker keeps, and what a task that is tried again has."""

from dataclasses import dataclass, replace

import pyarrow as pa
import pytest
from pyspark import TaskContext

from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.records import BatchLimits, ModelInput
from sparkscore.scoring import resident_sizers
from sparkscore.scoring.resident_sizers import get_batch_sizer

MODEL = ShippedModel("0" * 64, "", "sklearn", (ModelInput("x", pa.float64(), True),), True, pa.float64())


@dataclass
class Task:
    """What a worker knows of its task."""

    tries: int

    def attemptNumber(self) -> int:  # noqa: N802  Spark's
        return self.tries

    def cpus(self) -> int:
        return 1

    def resources(self) -> dict[str, object]:
        return {}


@pytest.fixture(autouse=True)
def _no_sizers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident_sizers, "_sizers", type(resident_sizers._sizers)())


def with_limits(**limits: int) -> ShippedModel:
    return replace(MODEL, batches=BatchLimits(**limits))


def test_what_was_found_stays_for_the_next_task_and_the_next_run_of_the_same_model() -> None:
    sizer = get_batch_sizer(MODEL)
    assert get_batch_sizer(replace(MODEL, secret="another attempt's")) is sizer
    assert get_batch_sizer(with_limits(known_rows=4_096)) is sizer


@pytest.mark.parametrize(
    "other",
    [
        with_limits(rows=100),
        with_limits(bytes=100),
        replace(MODEL, digest="1" * 64),
        replace(MODEL, residency="executor"),
        replace(MODEL, batch_timeout=5.0),
    ],
)
def test_other_limits_and_other_models_have_their_own(other: ShippedModel) -> None:
    sizer = get_batch_sizer(MODEL)
    assert get_batch_sizer(other) is not sizer
    assert get_batch_sizer(MODEL) is sizer


@pytest.mark.parametrize(
    ("limits", "most"), [({}, [8_192, 1_024, 128]), ({"known_rows": 1_000}, [125, 15, 1]), ({"rows": 50}, [50, 50, 50])]
)
def test_a_task_that_is_tried_again_has_smaller_batches_where_the_settings_name_no_rows(
    monkeypatch: pytest.MonkeyPatch, limits: dict[str, int], most: list[int]
) -> None:
    found = []
    for tries in (1, 2, 3):
        monkeypatch.setattr(TaskContext, "get", lambda tries=tries: Task(tries))
        sizer = get_batch_sizer(with_limits(**limits))
        for _ in range(100):
            sizer.add_batch(sizer.wanted_rows, 0.001 + 1e-7 * sizer.wanted_rows)
        found.append(sizer.chosen_rows)
    assert found == most


def test_no_more_are_kept_than_a_worker_may_have_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident_sizers, "_MAX_SIZERS", 2)
    first = get_batch_sizer(with_limits(rows=1))
    for rows in (2, 3):
        get_batch_sizer(with_limits(rows=rows))
    assert get_batch_sizer(with_limits(rows=1)) is not first


class TestWantedRows:
    def test_a_model_that_names_its_rows_gets_so_many_and_nothing_is_tried(self) -> None:
        sizer = get_batch_sizer(replace(MODEL, wanted_rows=4_096))
        assert (sizer.wanted_rows, sizer.chosen_rows, sizer.is_searching) == (4_096, 4_096, False)

    def test_the_settings_win_and_what_had_no_room_in_an_earlier_run_is_not_tried_again(self) -> None:
        assert get_batch_sizer(replace(with_limits(rows=100), wanted_rows=4_096)).wanted_rows == 100
        assert get_batch_sizer(replace(with_limits(most_rows=512), wanted_rows=4_096)).wanted_rows == 512
        assert get_batch_sizer(replace(with_limits(known_rows=64), wanted_rows=4_096)).wanted_rows == 4_096

    def test_the_bytes_of_a_batch_stay_bounded(self) -> None:
        wide = [pa.array(["a" * 1_000]).take(pa.array([0] * 100_000))]
        assert get_batch_sizer(replace(MODEL, wanted_rows=1_000_000)).exceeds_bytes(wide)

    def test_a_task_that_is_tried_again_has_an_eighth(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(TaskContext, "get", lambda: Task(1))
        sizer = get_batch_sizer(replace(MODEL, wanted_rows=4_096))
        assert sizer.choose_rows(100_000, 8.0) <= 512
