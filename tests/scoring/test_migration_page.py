"""docs/migrating-from-spark-udf.md: a user follows it from top to bottom, and so does this test."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests import world as worlds
from tests.warm_daemon import MORE
from tests.world import World

PAGE = Path(__file__).parents[2] / "docs" / "migrating-from-spark-udf.md"
_BLOCK = re.compile(r"^```(python|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_every_block_runs_in_its_order(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(world.spark.sparkContext.environment, MORE, "mlflow.pyfunc")
    monkeypatch.setenv("SPARKSCORE_HOME", str(world.home))
    monkeypatch.setenv("SPARKSCORE_MODEL__TRACKING_URI", world.registry.uri)
    flights = world.spark.read.format("delta").load(world.path("flights"))
    flights.write.parquet(str(tmp_path / "flights"))
    names: dict[str, Any] = {"spark": world.spark, "flights": flights, "flights_path": str(tmp_path / "flights")}
    blocks = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    with worlds.tracking(world.registry.uri):
        for language, block in blocks:
            if language == "yaml":
                file = re.match(r"# (\S+)\n", block)
                assert file is not None
                Path(file[1]).write_text(block)
            else:
                code = re.sub(r'"(predictions-of-[a-z-]+|checkpoint)"', rf'"{tmp_path}/\1"', block)
                exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - our own page
    assert len(blocks) >= 11
