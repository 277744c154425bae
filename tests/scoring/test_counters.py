"""What workers tell: sums, percentiles of batches, and what a GPU's driver says."""

import os
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkscore.scoring.counters import Counters
from sparkscore.scoring.gpu_usage import read_gpu_usage


def driver(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A stand-in for the command that tells what a GPU does."""
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


class TestCounters:
    def test_batches_and_loads_are_summed_with_their_seconds(self, spark: SparkSession) -> None:
        counters = Counters(spark)
        for _ in range(99):
            counters.add_batch(10, 0.01)
        counters.add_batch(10, 2.0)
        counters.add_load(1.5)
        counters.add_load(0.5)
        told = counters.to_dict()
        assert (told["rows"], told["batches"], told["loads"], told["load_s"]) == (1000, 100, 2, 2.0)
        assert told["batch_p50_s"] == pytest.approx(0.01, rel=0.1)
        assert told["batch_p99_s"] == pytest.approx(0.01, rel=0.1)
        counters.add_batch(10, 2.0)
        assert counters.to_dict()["batch_p99_s"] == pytest.approx(2.0, rel=0.1)

    def test_the_size_of_batches_is_what_half_of_the_tasks_have_found_or_less(self, spark: SparkSession) -> None:
        counters = Counters(spark)
        for rows in (512, None, 4_096, 1_024, 4_096, None):
            counters.add_chosen_rows(rows)
        counters.add_halved_batch()
        counters.add_halved_batch()
        assert counters.to_dict() == {
            "batch_rows": 1_024,
            "batch_rows_min": 512,
            "batch_rows_max": 4_096,
            "batches_halved": 2,
        }

    def test_nothing_done_is_nothing_told(self, spark: SparkSession) -> None:
        assert Counters(spark).to_dict() == {}

    def test_seconds_of_the_cpu_count_also_where_a_task_fails(self, spark: SparkSession) -> None:
        def fail() -> None:
            with counters.measure_task():
                raise ValueError(sum(n * n for n in range(200_000)))

        counters = Counters(spark)
        with pytest.raises(ValueError, match=r"\d"):
            fail()
        assert counters.to_dict()["cpu_s"] > 0
        assert "gpu_s" not in counters.to_dict()


class TestGpu:
    def test_memory_and_use_are_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        driver(tmp_path, monkeypatch, 'case "$*" in *--id=1*) echo "2048, 35";; esac')
        assert read_gpu_usage("1") == {"gpu_memory_bytes": 2048 * 2**20, "gpu_use": 0.35}

    @pytest.mark.parametrize("script", ["exit 9", "echo no GPU", "echo 1, 2, 3"])
    def test_a_driver_that_does_not_answer_fails_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
    ) -> None:
        driver(tmp_path, monkeypatch, script)
        assert read_gpu_usage("0") == {}

    def test_no_driver_is_nothing_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert read_gpu_usage("0") == {}
