"""A model that is not deterministic is noticed on a few rows, and what is published is consistent all the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import functions as F

from sparkscore import score
from sparkscore.records import RunReport
from sparkscore.settings import Settings
from tests.model.shelf import Returns, Shelf, columns, signature, tensor
from tests.world import AS_OF, World

SIGNED = signature(columns(x1="double", x2="double"), tensor("float64"))
SETTING = Settings.model_fields["scoring"].annotation.model_fields["repeat_rows"]  # type: ignore[union-attr]


def put_model(folder: Path, answer: Callable[[Any], Any]) -> tuple[Shelf, str]:
    """A registry with one model, which leaves a file for each load."""
    (folder / "shelf").mkdir()
    (folder / "loads").mkdir()
    shelf = Shelf(folder / "shelf")
    return shelf, shelf.put("model", Returns(answer, folder / "loads"), SIGNED)


def run(world: World, shelf: Shelf, uri: str, **groups: Any) -> RunReport:
    scoring = {"repeat_rows": SETTING.default, **groups.pop("scoring", {})}
    model = {"uri": uri, "tracking_uri": shelf.uri, **groups.pop("model", {})}
    settings = world.settings(model=model, scoring=scoring, output={"threshold": None}, **groups)
    return score(world.spark, settings, as_of=AS_OF)


@pytest.mark.parametrize(
    ("transport", "residency"), [("scan", "worker"), ("arrow", "executor"), ("pandas_udf", "worker")]
)
def test_a_model_that_answers_otherwise_is_a_warning_and_recorded(
    world: World, tmp_path: Path, transport: str, residency: str
) -> None:
    shelf, uri = put_model(tmp_path, lambda frame: np.random.default_rng().normal(size=len(frame)))
    report = run(world, shelf, uri, model={"residency": residency}, scoring={"transport": transport})
    assert (report.status, report.exit_code, report.transport) == ("published", 0, transport)
    assert (report.executors["repeated_rows"], report.executors["unstable_rows"]) == (8, 8)
    assert [text for text in report.warnings if "not deterministic: 8 of 8 rows" in text]
    (event,) = world.table("predictions_runs").where("event = 'published'").collect()
    assert '"unstable_rows": 8' in event["details"]
    assert report.executors["rows"] == report.rows_scored == 60
    assert report.model_loads == len(list((tmp_path / "loads").iterdir()))
    seen = world.predictions()
    assert run(world, shelf, uri).status == "already_published"
    assert world.predictions().equals(seen)


def test_a_model_that_answers_alike_is_none_and_rows_that_it_fails_on_are_not_repeated(
    world: World, tmp_path: Path
) -> None:
    def answer(frame: Any) -> Any:
        if (frame["x1"] > 0.99).any():
            raise ValueError("not this row")
        return frame["x1"] + frame["x2"]

    shelf, uri = put_model(tmp_path, answer)
    report = run(world, shelf, uri, scoring={"repeat_rows": 1_000, "max_reject_ratio": 1})
    assert report.rows_rejected
    assert 0 < report.executors["repeated_rows"] <= (report.rows_scored or 0)
    assert report.executors["unstable_rows"] == 0
    assert not [text for text in report.warnings if "deterministic" in text]
    rejects = world.table("predictions_rejects").agg(F.count_distinct("key")).collect()[0][0]
    assert rejects == report.rows_rejected
