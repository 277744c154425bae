"""Values of sensitive columns get into nothing that a run tells, whatever goes wrong."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from sparkscore import score
from sparkscore.errors import MESSAGE_HIDDEN, ConfigError, RowsNotPredicted, SparkscoreError
from tests.model.shelf import Answers, Shelf, columns, signature, tensor
from tests.world import AS_OF, World

MARK, PAY = "Quaverley", 918273645.0
SHOWN_AS = (MARK, "918273645", "918,273,645", "9.18273645")
BY_NAME = {"keys": ["name"], "passthrough": ["pay"]}
RUN = """
import json, sys
from sparkscore.cli import main
for verb, *words in json.loads(sys.argv[1]):
    main.run_verb(verb, words)
"""
"""A file: without one (python -c) PySpark ends the process when Great Expectations looks for its Connect."""


def behaving(kind: str) -> Callable[[Any], Any]:
    """A model over name and x1 that goes wrong in its own way. Made here: executors cannot import tests."""

    def answer(frame: Any) -> Any:
        said = " ".join(frame["name"])

        if kind == "all" or (kind == "one" and (frame["x1"] == 7).any()):
            raise KeyError(said)
        if kind == "names":
            return {name: [1.0] for name in frame["name"]}
        if kind == "odd":
            return __import__("types").SimpleNamespace(toarray=lambda: {"": 0}[said])
        return frame["x1"] / 2

    return answer


@dataclass(frozen=True)
class People:
    """Jobs over twenty people whose names and pay nobody may see; the job's name is that of its tables."""

    world: World
    shelf: Shelf
    folder: Path

    def settings(self, job: str, kind: str = "well", **groups: Any) -> Any:
        """A job of its own."""
        source = {"table": "people", "keys": ["id"], "passthrough": ["name", "pay"], "sensitive": ["name", "pay"]}
        return self.world.settings(
            job=job,
            source=source | groups.pop("source", {}),
            model={"uri": f"models:/{kind}/1", "tracking_uri": self.shelf.uri} | groups.pop("model", {}),
            output={"table": job, "threshold": None},
            **groups,
        )

    def call(self, job: str, kind: str = "well", *flags: str, **groups: Any) -> list[str]:
        """The command that runs it."""
        settings = self.settings(job, kind, **groups)
        file = self.folder / f"{job}.yaml"
        file.write_text(yaml.safe_dump(json.loads(settings.model_dump_json(exclude_none=True))))
        return ["score", "--config", str(file), "--as-of", AS_OF, *flags]

    def suite(self, name: str, *rules: Mapping[str, Any]) -> str:
        """A suite's file."""
        file = self.folder / f"{name}-suite.json"
        file.write_text(json.dumps({"name": name, "expectations": list(rules)}))
        return str(file)


@pytest.fixture
def people(world: World, tmp_path: Path) -> People:
    """The source, and a model of each kind."""
    names = [f"{MARK}-{place}" for place in range(20)]
    rows = pa.table({"id": range(20), "name": names, "pay": [PAY] * 20, "x1": [float(place) for place in range(20)]})
    world.write_source(rows, name="people")
    world.write_source(pa.concat_tables([rows, rows.slice(0, 1)]), name="twice")
    made = People(world, Shelf(tmp_path), tmp_path)
    for kind in ("well", "one", "all", "names", "odd"):
        made.shelf.put(kind, Answers(behaving(kind)), signature(columns(name="string", x1="double"), tensor("float64")))
    return made


def ran(folder: Path, calls: Sequence[Sequence[str]]) -> subprocess.CompletedProcess[str]:
    """The commands, one after another, in a process of their own: what Spark's JVM logs is then seen too."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SPARKSCORE_", "MLFLOW_"))}
    (folder / "run.py").write_text(RUN)
    return subprocess.run(
        [sys.executable, str(folder / "run.py"), json.dumps(calls)],
        env=environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def seen(people: People, expected: Mapping[str, tuple[int, str, list[str]]]) -> str:
    """All that the commands tell, by whatever way, where they end as expected (exit code, class or status)."""
    done = ran(people.folder, [call for _, _, call in expected.values()])
    assert done.returncode == 0, done.stderr[-3000:]
    results = [json.loads(line) for line in done.stdout.splitlines()]
    found = [(one["exit_code"], (one["error"] or {"class": one["status"]})["class"]) for one in results]
    assert found == [(code, what) for code, what, _ in expected.values()], done.stderr[-3000:]
    tables = [f"{job}{ending}" for job in expected for ending in ("_runs", "_rejects")]
    held = [people.world.table(name).toPandas().to_json() for name in tables if people.world.version(name) >= 0]
    return "\n".join([done.stdout, done.stderr, *held])


def test_what_a_model_says_is_in_no_result_line_log_event_or_reject(people: People) -> None:
    told = seen(
        people,
        {
            "one": (0, "published", people.call("one", "one", source=BY_NAME)),
            "every": (4, "RowsNotPredicted", people.call("every", "all", "--debug")),
            "arrow": (4, "RowsNotPredicted", people.call("arrow", "all", scoring={"transport": "arrow"})),
            "pandas": (4, "RowsNotPredicted", people.call("pandas", "all", scoring={"transport": "pandas_udf"})),
            "hosted": (4, "RowsNotPredicted", people.call("hosted", "all", model={"residency": "executor"})),
            "names": (4, "PredictError", people.call("names", "names")),
            "odd": (4, "PredictError", people.call("odd", "odd", "--debug")),
        },
    )
    assert [shown for shown in SHOWN_AS if shown in told] == []
    assert "the model raised KeyError on a batch" in told
    (reject,) = people.world.table("one_rejects").collect()
    assert json.loads(reject["key"]) == {"name": hashlib.sha256(f"{MARK}-7".encode()).hexdigest()}
    assert (reject["code"], reject["error"]) == ("predict_failed", "KeyError")


def test_nor_is_what_gates_plans_and_samples_see(people: People) -> None:
    gate = people.suite(
        "bounds",
        {"type": "expect_column_max_to_be_between", "kwargs": {"column": "pay", "max_value": 1}},
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "name", "value_set": [f"{MARK}-0"]}},
        {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "pay", "max_value": 1}}
        | {"severity": "warning"},
    )
    hidden = [{"column": "name", "op": "=", "value": f"{MARK}-3"}]
    unfit = [{"column": "pay", "op": "=", "value": MARK}]
    told = seen(
        people,
        {
            "doubled": (3, "DuplicateKeys", people.call("doubled", source=BY_NAME | {"table": "twice"})),
            "gate": (3, "GateFailed", people.call("gate", gate={"input": gate})),
            "unfit": (2, "ConfigError", people.call("unfit", source={"where": unfit})),
            "plan": (0, "dry_run", people.call("plan", "well", "--dry-run", source={"where": hidden})),
            "sample": (0, "dry_run", people.call("sample", "well", "--sample", "3")),
        },
    )
    assert [shown for shown in SHOWN_AS if shown in told] == []
    assert "for example name=***" in told
    assert "where name = ***" in told
    assert "20 rows outside (19)" in told
    assert len(re.findall(r"^\d+ .*\*\*\* +\*\*\*", told, re.MULTILINE)) == 3  # the sample's rows


def test_without_them_the_model_tells_what_it_said(people: People) -> None:
    with pytest.raises(RowsNotPredicted, match=f"KeyError: '{MARK}-"):
        score(people.world.spark, people.settings("open", "all", source={"sensitive": []}), as_of=AS_OF)


def test_what_spark_says_of_a_row_is_not_told(people: People) -> None:
    spark, settings = people.world.spark, people.settings("checked")
    score(spark, settings, as_of=AS_OF)
    later = "2013-12-30"
    spark.sql(
        f"ALTER TABLE delta.`{people.world.path('checked')}`"
        f" ADD CONSTRAINT poor CHECK (pay < 1 OR as_of_date > date'{later}')"
    )
    with pytest.raises(SparkscoreError) as caught:
        score(spark, settings, as_of=later)
    assert (caught.value.exit_code, caught.value.do, caught.value.__cause__) == (1, MESSAGE_HIDDEN, None)
    told = str(caught.value) + people.world.table("checked_runs").toPandas().to_json()
    assert [shown for shown in SHOWN_AS if shown in told] == []


def test_they_have_to_be_columns_of_the_source(people: People) -> None:
    with pytest.raises(ConfigError, match=r"no sensitive column Name \(nearest: name\)"):
        score(people.world.spark, people.settings("absent", source={"sensitive": ["Name"]}), as_of=AS_OF)


def test_a_source_that_has_them_in_its_paths_is_warned_of(people: People) -> None:
    world = people.world
    frame = world.table("people")
    frame.write.format("delta").partitionBy("name").save(world.path("parted"))
    report = score(world.spark, people.settings("parted_job", source={"table": "parted"}), as_of=AS_OF)
    assert report.status == "published"
    assert "partitioned by name" in report.warnings[0]
