"""The example of docs/workloads/protocol.md runs as it stands there."""

import re
from pathlib import Path

import mlflow
import pyarrow as pa

from sparkscore.model.runtimes.scorer import find_task_end
from sparkscore.model.trust.mlmodel_file import read_mlmodel, read_wanted_rows
from tests import world
from tests.model.shelf import Shelf

PAGE = Path(__file__).parents[2] / "docs" / "workloads" / "protocol.md"


def test_the_example_rejects_counts_and_hears_of_the_end_of_a_task(tmp_path: Path) -> None:
    shelf, (example,) = Shelf(tmp_path), re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    with world.tracking(shelf.uri):
        mlflow.create_experiment("tests", artifact_location=(tmp_path / "artifacts").as_uri())
        mlflow.set_experiment("tests")
        exec(compile(example, str(PAGE), "exec"), {"__name__": "__main__"})  # noqa: S102  our own page
    placed = shelf.placed("models:/words/1")
    score = placed.scorer()
    scored = score([pa.array(["one two", None, " ", "three"])])
    assert scored.predictions.to_pylist() == [2, None, None, 1]
    assert scored.rejects is not None
    assert [one and one["code"] for one in scored.rejects.to_pylist()] == [None, "empty_text", "empty_text", None]
    assert scored.counts == {"requests": 2, "words": 3}
    end_task = find_task_end(score)
    assert end_task is not None
    assert end_task() == {"tasks": 1}
    assert read_wanted_rows(read_mlmodel(placed.folder)) == 4096
