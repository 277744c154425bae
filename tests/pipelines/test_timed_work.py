"""The clock of a verb's work."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from sparkscore.errors import ConfigError
from sparkscore.pipelines.shared import timed_work
from sparkscore.pipelines.shared.timed_work import ReportedWork
from sparkscore.records import MaintenanceReport


@dataclass
class Work(ReportedWork[MaintenanceReport]):
    """Any verb's."""

    report: MaintenanceReport
    started: float


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """The clock begins at 10 and goes on by a second whenever it is read."""
    moments = iter(range(10, 100))
    monkeypatch.setattr(timed_work, "time", SimpleNamespace(monotonic=lambda: float(next(moments))))
    return Work(MaintenanceReport("late", "maintained"), started=10.0)


def test_each_phase_has_its_seconds_and_all_of_it_the_total(work: Work) -> None:
    with work.phase("expire"):
        pass
    with work.phase("vacuum"), work.phase("models"):
        pass
    assert work.report.seconds == {"expire": 1.0, "models": 1.0, "vacuum": 3.0}
    assert work.elapsed_seconds == {"expire": 1.0, "models": 1.0, "vacuum": 3.0, "total": 6.0}


def test_an_error_leaves_what_was_done_before_it_and_the_total(work: Work) -> None:
    error = ConfigError("a word", "another one", "change it")
    with work.phase("expire"):
        pass
    with pytest.raises(ConfigError), work.phase("vacuum"):
        raise error
    report = work.fail(error)
    assert report is work.report
    assert (report.status, report.exit_code, report.seconds) == ("failed", 2, {"expire": 1.0, "total": 3.0})
    assert report.error is not None
    assert report.error.class_name == "ConfigError"
