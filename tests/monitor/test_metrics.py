"""What Prometheus is told, and the file in which it is."""

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sparkscore.monitor.metrics import LastSuccess, metrics_text
from sparkscore.monitor.metrics_file import write_metrics
from sparkscore.records import ReportedModel, RuleVerdict, RunReport, Verdict
from tests.monitor.hostile import VALUES

AT = datetime(2014, 1, 1, 6, tzinfo=UTC)
LATER = datetime(2014, 1, 2, 6, tzinfo=UTC)
AS_OF = datetime(2013, 12, 31, tzinfo=UTC).timestamp()
GOOD = RunReport(
    "flight-delay",
    "2013-12-31T00:00:00Z",
    "published",
    run_id="f" * 64,
    rows_read=100,
    rows_scored=98,
    rows_rejected=2,
    rows_per_second=24.5,
    model=ReportedModel("flight-delay", "3"),
    transport="scan",
    model_loads=2,
    seconds={"pin": 1.0, "score_and_stage": 4.0, "total": 6.5},
    executors={
        "rows": 98,
        "batches": 2,
        "batch_p50_s": 0.1,
        "batch_p99_s": 0.2,
        "loads": 2,
        "load_s": 1.5,
        "cpu_s": 6.0,
        "gpu_s": 1.0,
        "gpu_memory_bytes": 2e9,
        "a fact of tomorrow": 1.0,
    },
    drifted=0,
)
BAD = RunReport("flight-delay", "2014-01-01T00:00:00Z", "failed", exit_code=3, seconds={"total": 2.0})
VERDICT = Verdict(
    "output",
    "predictions",
    (
        RuleVerdict("a", True, "", ""),
        RuleVerdict("b", False, "", ""),
        RuleVerdict("c", False, "", "", "warning"),
        RuleVerdict("d", False, "", "", "info"),
    ),
)

Samples = Mapping[str, float]


def samples(text: str) -> Samples:
    """By name and the values of the labels beside the job's, as in `gate_broken_rules/output/critical`."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.labels["scoring_job"] == "flight-delay"
            beside = [value for name, value in sorted(sample.labels.items()) if name != "scoring_job"]
            found["/".join([sample.name.removeprefix("sparkscore_"), *beside])] = sample.value
    return found


def told(report: RunReport, **more: object) -> Samples:
    return samples(metrics_text(report, at=AT, **more))  # type: ignore[arg-type]


class TestText:
    def test_a_run_in_full(self) -> None:
        assert told(GOOD, cores=2, verdicts=[VERDICT]) == {
            "last_run_timestamp_seconds": AT.timestamp(),
            "last_success_timestamp_seconds": AT.timestamp(),
            "last_success_as_of_timestamp_seconds": AS_OF,
            "run_success": 1,
            "run_exit_code": 0,
            "run_duration_seconds": 6.5,
            "run_part_duration_seconds/pin": 1,
            "run_part_duration_seconds/score_and_stage": 4,
            "run_info/flight-delay/3/published/scan": 1,
            "rows_read": 100,
            "rows_scored": 98,
            "rows_rejected": 2,
            "rows_per_second": 24.5,
            "model_loads": 2,
            "drifted_columns": 0,
            "sla_broken_rules": 0,
            "gate_broken_rules/output/critical": 1,
            "gate_broken_rules/output/warning": 1,
            "gate_broken_rules/output/info": 1,
            "executor_rows": 98,
            "executor_batches": 2,
            "executor_batch_p50_seconds": 0.1,
            "executor_batch_p99_seconds": 0.2,
            "executor_loads": 2,
            "executor_load_seconds": 1.5,
            "executor_cpu_seconds": 6,
            "executor_cpu_ratio": 0.75,
            "executor_gpu_seconds": 1,
            "executor_gpu_memory_bytes": 2e9,
        }

    def test_what_is_not_known_is_absent_and_not_zero(self) -> None:
        assert told(BAD) == {
            "last_run_timestamp_seconds": AT.timestamp(),
            "run_success": 0,
            "run_exit_code": 3,
            "run_duration_seconds": 2,
            "run_info///failed/": 1,
            "sla_broken_rules": 0,
        }

    def test_neither_run_nor_as_of_is_a_label(self) -> None:
        text = metrics_text(GOOD, at=AT, verdicts=[VERDICT], cores=2)
        assert "f" * 12 not in text
        assert "2013" not in text

    def test_drift_that_ends_a_run_leaves_it_published(self) -> None:
        for status in ("published", "failed"):
            found = told(replace(GOOD, status=status, exit_code=5, drifted=3, sla_broken=("late",)))
            assert (found["run_success"], found["run_exit_code"]) == (1, 5)
            assert (found["drifted_columns"], found["sla_broken_rules"]) == (3, 1)

    def test_names_of_models_may_hold_anything(self) -> None:
        report = replace(GOOD, model=ReportedModel('a "late"\\\nmodel', "1"))
        assert 'run_info/a "late"\\\nmodel/1/published/scan' in told(report)

    def test_no_share_of_cores_without_their_number_or_their_time(self) -> None:
        assert "executor_cpu_ratio" not in told(GOOD)
        assert "executor_cpu_ratio" not in told(replace(GOOD, seconds={"score_and_stage": 0.0}), cores=2)

    def test_a_failure_keeps_the_last_success_and_a_back_fill_the_newest_as_of(self) -> None:
        earlier = LastSuccess(1000.0, AS_OF + 86400)
        failed, filled = told(BAD, earlier=earlier), told(GOOD, earlier=earlier)
        assert failed["last_success_timestamp_seconds"] == 1000
        assert failed["last_success_as_of_timestamp_seconds"] == filled["last_success_as_of_timestamp_seconds"]
        assert filled["last_success_timestamp_seconds"] == AT.timestamp()
        assert filled["last_success_as_of_timestamp_seconds"] == AS_OF + 86400


def success(path: Path) -> tuple[float | None, float | None]:
    found = samples(path.read_text())
    return found.get("last_success_timestamp_seconds"), found.get("last_success_as_of_timestamp_seconds")


def names(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


class TestFile:
    def test_each_run_replaces_the_file_of_its_job_whole(self, tmp_path: Path) -> None:
        folder = tmp_path / "not" / "there"
        path = write_metrics(GOOD, folder, at=AT)
        assert path == folder / "flight-delay.prom"
        first = path.stat()
        assert write_metrics(replace(GOOD, rows_read=7), folder, at=LATER) == path
        assert samples(path.read_text())["rows_read"] == 7
        assert path.stat().st_ino != first.st_ino
        assert names(folder) == ["flight-delay.prom"]

    def test_the_collector_can_read_it_whatever_the_umask(self, tmp_path: Path) -> None:
        before = os.umask(0o077)
        try:
            path = write_metrics(GOOD, tmp_path, at=AT)
        finally:
            os.umask(before)
        assert stat.S_IMODE(path.stat().st_mode) == 0o644

    def test_a_failure_keeps_what_was_told_of_the_last_success(self, tmp_path: Path) -> None:
        write_metrics(GOOD, tmp_path, at=AT)
        for _ in range(2):
            path = write_metrics(BAD, tmp_path, at=LATER)
            assert success(path) == (AT.timestamp(), AS_OF)
            assert samples(path.read_text())["last_run_timestamp_seconds"] == LATER.timestamp()

    def test_a_job_is_not_taken_for_another(self, tmp_path: Path) -> None:
        write_metrics(GOOD, tmp_path, at=AT)
        (tmp_path / "flight-delay.prom").rename(tmp_path / "flightXdelay.prom")
        text = metrics_text(replace(GOOD, job="flight.delay"), at=AT).replace("flight.delay", "flightXdelay")
        (tmp_path / "flight.delay.prom").write_text(text)
        path = write_metrics(replace(BAD, job="flight.delay"), tmp_path, at=LATER)
        assert "last_success" not in path.read_text()

    @pytest.mark.parametrize(
        "damaged",
        [
            b"",
            b"\x00\xff\xfe" * 1000,
            b'sparkscore_last_success_timestamp_seconds{scoring_job="flight-delay"} ',
            b'sparkscore_last_success_timestamp_seconds{scoring_job="flight-delay"} NaN\n',
            b'sparkscore_last_success_timestamp_seconds{scoring_job="flight-delay"} +Inf\n',
            b'sparkscore_last_success_timestamp_seconds{scoring_job="flight-delay"} -1\n',
            b'sparkscore_last_success_timestamp_seconds{scoring_job="flight-delay"} 1.2.3\n',
            b'sparkscore_last_success_timestamp_seconds{scoring_job="flight-delay"} 9e99\n',
            b'sparkscore_last_success_timestamp_seconds{scoring_job="flight-delay"} 1.5e+09\n',  # is yet to come
            b"x" * 300_000 + b'\nsparkscore_last_success_timestamp_seconds{scoring_job="flight-delay"} 1000\n',
        ],
    )
    def test_a_damaged_file_is_as_good_as_none(self, tmp_path: Path, damaged: bytes) -> None:
        (tmp_path / "flight-delay.prom").write_bytes(damaged)
        path = write_metrics(BAD, tmp_path, at=LATER)
        assert success(path) == (None, None)
        assert samples(path.read_text())["run_exit_code"] == 3

    def test_a_mistyped_as_of_does_not_stay_the_newest(self, tmp_path: Path) -> None:
        write_metrics(replace(GOOD, as_of="2041-01-01T00:00:00Z"), tmp_path, at=AT)
        assert success(write_metrics(BAD, tmp_path, at=LATER)) == (AT.timestamp(), None)
        assert success(write_metrics(GOOD, tmp_path, at=LATER)) == (LATER.timestamp(), AS_OF)

    def test_a_fifo_in_the_place_of_the_file_stops_nothing(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "flight-delay.prom")
        assert write_metrics(GOOD, tmp_path, at=AT).is_file()

    def test_what_fails_leaves_the_file_as_it_was_and_nothing_beside_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write_metrics(GOOD, tmp_path, at=AT)
        before = path.read_text()

        def full(_: int) -> None:
            raise OSError("no space left")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            write_metrics(BAD, tmp_path, at=LATER)
        assert path.read_text() == before
        assert names(tmp_path) == ["flight-delay.prom"]

    def test_while_it_is_written_there_is_no_second_file_for_the_collector(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[str] = []
        monkeypatch.setattr(os, "fsync", lambda _: seen.extend(names(tmp_path)))
        write_metrics(GOOD, tmp_path, at=AT)
        assert len(seen) == 1
        assert not seen[0].endswith(".prom")


@pytest.mark.parametrize("value", [*VALUES, 'a"} 1\nsparkscore_run_success{scoring_job="b"} 1', "back\\slash\\n", "é"])
def test_a_label_holds_what_it_is_given_and_adds_no_series(value: str, tmp_path: Path) -> None:
    plain = RunReport("job", "2013-12-31T00:00:00Z", "published", model=ReportedModel("m", "1"))
    hostile = replace(plain, model=ReportedModel(value, "1"), transport=value)
    at = datetime(2013, 12, 31, tzinfo=UTC)
    text = write_metrics(hostile, tmp_path, at=at).read_bytes().decode("utf-8")
    found = [one for family in text_string_to_metric_families(text) for one in family.samples]
    assert len(found) == len(list(samples_of(metrics_text(plain, at=at))))
    (info,) = (one for one in found if one.name == "sparkscore_run_info")
    assert info.labels["model_name"] == value.replace("\ud800", "\\ud800")


def samples_of(text: str) -> list[object]:
    return [one for family in text_string_to_metric_families(text) for one in family.samples]
