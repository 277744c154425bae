"""Who of the challengers of a pass is given up, by the time that all tasks have told."""

from types import SimpleNamespace
from typing import Any

import pytest

from sparkscore.errors import BatchTimeout, PredictError, TooManyRejects
from sparkscore.pipelines.scoring.pass_challengers import PassChallengers, _StagedChallenger
from sparkscore.pipelines.shared.run_challengers import Challenger
from sparkscore.records import ChallengerPart, ScoredPart
from sparkscore.settings import Settings
from sparkscore.settings.challenger_settings import ChallengerSettings

SETTINGS = Settings(
    job="late",
    source={"table": "flights", "keys": ["id"]},
    model={"uri": "models:/late@champion"},
    output={"table": "predictions"},
    scoring={"max_rejects": 5},
)


class Chunks:
    """Stands in for a `ChunkCommitter`."""

    def __init__(self) -> None:
        self.added, self.rejected, self.tried = list[ScoredPart](), 0, 0

    def add(self, parts: list[ScoredPart], *, every_s: float) -> None:
        self.added += parts

    def commit(self) -> None:
        self.tried += 1

    try_commit = commit


def challengers(**own: Any) -> tuple[PassChallengers, Challenger, Chunks]:
    """One challenger in a pass of two slots."""
    attempt: Any = SimpleNamespace(settings=SETTINGS)
    nothing: Any = SimpleNamespace()
    made = Challenger(ChallengerSettings(uri="models:/late/2", **own), attempt, nothing, plan=nothing)
    made.seconds, made.champion_seconds = 0.0, 0.0
    scan: Any = SimpleNamespace(columns=())
    found, chunks = PassChallengers((), scan), Chunks()
    committer: Any = chunks
    found._staged.append(_StagedChallenger(made, nothing, nothing, committer, slots=2))
    return found, made, chunks


def part(seconds: float, champion: float, *, split: int = 0, error: PredictError | None = None) -> ScoredPart:
    told = ChallengerPart(0, (), seconds, None if error is None else error.to_dict())
    return ScoredPart(split, (0, 0), (1, 0), 1, (), 1.0, seconds + champion + 0.5, read_s=0.5, challengers=(told,))


def test_one_within_its_time_goes_on_and_its_parts_are_kept() -> None:
    found, made, chunks = challengers(timeout=60, budget=2)
    found.add([part(20.0, 15.0), part(9.0, 5.0, split=1)], every_s=60)
    assert made.error is None
    assert (made.seconds, made.champion_seconds) == pytest.approx((29.0, 20.0))
    assert [(one.split, one.seconds, one.challengers) for one in chunks.added] == [(0, 20.0, ()), (1, 9.0, ())]
    assert [one.allowed_s for one in found.choose_running()] == [60 - 29.0 / 2]


def test_one_that_has_used_up_its_timeout_in_all_slots_gets_no_more_rows_and_keeps_what_it_has() -> None:
    found, made, chunks = challengers(timeout=60)
    found.add([part(70.0, 1.0), part(50.0, 1.0, split=1)], every_s=60)
    assert isinstance(made.error, BatchTimeout)
    assert "timeout, 60 s" in made.error.expected
    assert found.choose_running() == []
    found.commit()
    assert chunks.tried == 1


@pytest.mark.parametrize(
    ("seconds", "champion", "given_up"), [(9.9, 0.1, False), (10.1, 0.1, True), (19, 10, False), (21, 10, True)]
)
def test_a_budget_counts_for_each_second_of_the_champion_after_ten(
    seconds: float, champion: float, given_up: bool
) -> None:
    found, made, _ = challengers(budget=2)
    found.add([part(seconds, champion)], every_s=60)
    assert isinstance(made.error, BatchTimeout) is given_up


def test_what_a_task_has_told_is_why_it_failed() -> None:
    found, made, chunks = challengers()
    found.add([part(1.0, 1.0, error=PredictError("the model raised KeyError"))], every_s=60)
    assert isinstance(made.error, PredictError)
    assert made.error.found == "the model raised KeyError"
    assert chunks.added == []


def test_one_that_rejects_more_rows_than_a_run_may_is_given_up() -> None:
    found, made, chunks = challengers()
    chunks.rejected = 6
    found.add([part(1.0, 1.0)], every_s=60)
    assert isinstance(made.error, TooManyRejects)
