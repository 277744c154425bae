"""How long a stream goes on with the model that it has, while the registry does not answer."""

from typing import Any

import pytest

from sparkscore.pipelines.streaming.batch_publishing import RegistryPatience
from sparkscore.records import Pins

PINS = Pins("t", 1, "late", "1", "d", "s")


class Asked:
    """An attempt that has asked the registry, or was not to."""

    def __init__(self, patience: RegistryPatience, *, is_silent: bool) -> None:
        self.standby = patience.choose_standby()
        self.used_standby = is_silent and self.standby is not None and self.standby.asks_registry


def test_it_is_asked_once_a_minute_and_waited_for_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    monkeypatch.setattr("sparkscore.pipelines.streaming.batch_publishing.time.monotonic", lambda: now[0])
    patience = RegistryPatience(limit_s=600.0)
    assert patience.choose_standby() is None  # the first micro-batch needs the registry
    patience.pins = PINS

    def run(*, is_silent: bool) -> Any:
        attempt: Any = Asked(patience, is_silent=is_silent)
        patience.note_answer(attempt)
        return attempt.standby

    assert run(is_silent=False).asks_registry
    assert run(is_silent=True).asks_registry
    now[0] += 30
    assert not run(is_silent=True).asks_registry
    now[0] += 31
    assert run(is_silent=True).asks_registry
    now[0] += 540
    assert patience.choose_standby() is None  # ten minutes without an answer
    now[0] -= 100
    assert run(is_silent=False).asks_registry
    now[0] += 10_000
    assert patience.choose_standby() is not None  # it had answered since
