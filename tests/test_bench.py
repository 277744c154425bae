"""The benchmark runs, checks what its contenders write, and judges goals. Its numbers are not looked at here."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def bench() -> Iterator[None]:
    """The benchmark's modules can be imported: they are scripts, no part of the package."""
    sys.path.insert(0, str(ROOT / "ci"))
    yield
    sys.path.remove(str(ROOT / "ci"))


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON of a short run."""
    folder = tmp_path_factory.mktemp("bench")
    command = ["ci/bench.sh", "--short", "--out", str(folder / "out"), "--data", str(folder / "data"), "--seed", "7"]
    environment = {**os.environ, "SPARKSCORE_PYTHON": sys.executable, "PYSPARK_SUBMIT_ARGS": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=2400)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout == ""
    assert (folder / "out" / "throughput.svg").stat().st_size > 0
    assert "| ours scan sklearn |" in (folder / "out" / "results.md").read_text()
    told: dict[str, Any] = json.loads((folder / "out" / "results.json").read_text())
    return told


def test_a_short_run_measures_and_checks_every_contender(short: dict[str, Any]) -> None:
    assert set(short["cases"]) == {"throughput/linear", "job/linear"}
    for case in short["cases"].values():
        for name, contender in case["contenders"].items():
            assert contender["error"] is None, name
            assert len(contender["turns"]) == 1
            turn = contender["turns"][0]
            assert turn["largest_difference"] <= 1e-6
            assert turn["seconds"] > 0
            assert contender["rows_per_second"] == round(case["data"]["rows"] / turn["seconds"])


def test_a_short_run_says_what_it_ran_on(short: dict[str, Any]) -> None:
    (run,) = short["runs"]
    assert run["seed"] == 7
    assert run["short"]
    assert run["cases"] == sorted(short["cases"])
    assert run["machine"]["cores"] >= 1
    assert set(run["load"]) == {"before", "after"}
    assert "pyspark" in run["versions"]["ours"]


def test_a_job_s_parts_and_their_plain_counterparts_are_told(short: dict[str, Any]) -> None:
    (turn,) = short["cases"]["job/linear"]["contenders"]["ours"]["turns"]
    wanted = {"score_and_stage", "publish", "plain_append", "plain_aggregation_stage"}
    assert wanted <= set(turn["parts"])
    goals = {goal["goal"]: goal for goal in short["goals"]}
    whole = goals["linear: whole job, of score + stage + append + an aggregation of the stage"]
    assert whole["rounds"] == 1
    assert whole["min"] == whole["ratio"] == whole["max"]


def test_memory_is_seen_on_linux(short: dict[str, Any]) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("there is no /proc")
    (turn,) = short["cases"]["throughput/linear"]["contenders"]["ours scan sklearn"]["turns"]
    assert min(turn["peak_mib"][kind] for kind in ("jvm", "driver", "workers")) > 10


@pytest.mark.usefixtures("bench")
def test_a_goal_s_ratio_is_the_median_of_the_rounds_ratios() -> None:
    from bench import goals  # type: ignore[import-not-found]

    def course(*seconds: float) -> dict[str, Any]:
        turns = [{"round": place, "seconds": one, "start_seconds": 0, "parts": {}} for place, one in enumerate(seconds)]
        return {"turns": turns}

    case = {"contenders": {"bare onnx": course(1, 9, 1), "ours scan onnx": course(2, 10, 4)}}
    line = goals.judged({"throughput/linear": case})[0]
    assert (line["ratio"], line["min"], line["max"]) == (0.5, 0.25, 0.9)
    assert (line["rounds"], line["met"], line["above_line"]) == (3, False, False)


@pytest.mark.usefixtures("bench")
def test_what_one_more_costs_is_the_difference_of_two_runs() -> None:
    from bench import goals

    def course(*seconds: float) -> dict[str, Any]:
        parts = {"calls": 100.0}
        turns = [{"round": n, "seconds": one, "start_seconds": 0, "parts": parts} for n, one in enumerate(seconds)]
        return {"turns": turns}

    case = {"contenders": {"ours": course(2, 3), "ours, 32 more rules": course(2.32, 3.96)}}
    found = {line["goal"]: line for line in goals.judged({"small/in a warm session": case})}
    more = found["one more gate rule, seconds"]
    assert (more["min"], more["max"], more["without_start"]) == (0.01, 0.03, None)
    assert found["in a warm session: calls to the JVM"]["ratio"] == 100


@pytest.mark.usefixtures("bench")
def test_every_goal_of_small_runs_names_contenders_of_its_case() -> None:
    from bench import plan

    cases = {case.id: {one.name for one in case.contenders} for case in plan.cases(("small",), rows=1, repeats=1)}
    named = {(goal.case, part.contender) for goal in plan.GOALS for part in (*goal.top, *goal.less, *goal.bottom)}
    assert {case for case, _ in named} >= set(cases)
    assert [one for one in named if one[0] in cases and one[1] not in cases[one[0]]] == []


@pytest.mark.usefixtures("bench")
def test_the_gates_contenders_count_the_same_rows(spark: SparkSession) -> None:
    from bench.ways import gates  # type: ignore[import-not-found]

    rows = spark.range(500).selectExpr(
        "if(id % 100 = 0, NULL, (id - 250) / 60) AS x", "if(id % 50 = 1, double('NaN'), 4.0) AS y"
    )
    suite = gates.rules(64, ["x", "y"])
    assert len({(one.type, *one.kwargs.items()) for one in suite}) == 64
    broken = gates.ours(rows, suite)
    assert broken == gates.bare(rows, suite)
    assert sum(broken.values()) > 500
    whole = rows.select("x")
    suite = gates.rules(8, ["x"])
    assert gates.engine(whole, suite) == gates.ours(whole, suite) == gates.bare(whole, suite)


@pytest.mark.usefixtures("bench")
def test_every_case_of_the_gates_has_a_goal() -> None:
    from bench import plan

    cases = plan.cases(("gates",), rows=16_000_000, repeats=1)
    assert [case.shape.rows for case in cases] == [1_000_000, 10_000_000] * 3
    assert {case.id for case in cases} == {goal.case for goal in plan.GOALS if goal.case.startswith("gates/")}


@pytest.mark.usefixtures("bench")
@pytest.mark.parametrize(
    ("ids", "predictions", "words"),
    [
        ([0, 1], [0.5, 0.5], "2 rows written, 3 expected"),
        ([0, 1, 1], [0.5, 0.5, 0.5], "1 keys are missing"),
        ([0, 1, 3], [0.5, 0.5, 0.5], "keys from 0 to 3, 0 to 2 expected"),
        ([2, 1, 0], [0.5, 0.5, 0.6], "differ by 0.1"),
        ([2, 1, 0], [0.5, 0.5, float("nan")], "differ by nan"),
    ],
)
def test_a_wrong_output_is_an_error(tmp_path: Path, ids: list[int], predictions: list[float], words: str) -> None:
    from bench import engines, verify

    pq.write_table(pa.table({"id": ids, "prediction": predictions}), tmp_path / "part.parquet")
    expected = (np.array([0, 2]), np.array([0.5, 0.5]))
    with pytest.raises(engines.ContenderError, match=words):
        verify.verified({"kind": "parquet", "path": str(tmp_path)}, 3, expected)
