"""One test's stage: a small world, the model's traps, and children that get hurt in it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from mlflow import MlflowClient

from sparkscore import score
from sparkscore.errors import TemporaryError
from sparkscore.monitor.mlflow_run import RUN_TAG
from sparkscore.records import RunReport
from sparkscore.settings import Settings
from tests.faults.checker import Expected, check
from tests.faults.children import Child, Crew
from tests.faults.models import Traps
from tests.faults.points import Order, around, eventually
from tests.world import AS_OF, World, source_rows

ROWS = 2_000
BATCH_ROWS = 100


def plain(settings: Settings) -> Mapping[str, Any]:
    """The settings as a runner's order holds them."""
    found: Mapping[str, Any] = json.loads(settings.model_dump_json(exclude_none=True))
    return found


@dataclass(frozen=True)
class Scene:
    """Helpers that read as sentences. The source has 2,000 rows, the model is given 20 batches."""

    world: World
    traps: Traps
    crew: Crew

    @property
    def rows(self) -> pa.Table:
        """The source."""
        return source_rows(ROWS)

    @property
    def marker(self) -> Path:
        """What the runner makes when the fault happens."""
        return self.world.home / "fault"

    def settings(self, **groups: Any) -> Settings:
        """The job's, in small batches."""
        scoring = {"batch_rows": BATCH_ROWS, **groups.pop("scoring", {})}
        return self.world.settings(scoring=scoring, **groups)

    def order(self, at: str = "", do: str = "kill", *, as_of: str = AS_OF, **groups: Any) -> Order:
        """What a child is told to do; `replace`, `place`, `verb`, `session` and `split_bytes` are the order's own."""
        flags = {"replace": True} if groups.pop("replace", False) else groups.pop("flags", {})
        told: dict[str, Any] = {"marker": str(self.marker), "place": str(self.traps.folder)}
        told |= {name: groups.pop(name) for name in ("place", "verb", "split_bytes", "session") if name in groups}
        return Order(plain(self.settings(**groups)), as_of, at=at, do=do, flags=flags, **told)

    def run(self, *, as_of: str = AS_OF, **more: Any) -> RunReport:
        """An undisturbed run in the test's own session."""
        flags = {name: more.pop(name) for name in ("replace", "force", "restart") if name in more}
        return score(self.world.spark, self.settings(**more), as_of=as_of, **flags)

    def begin_with(self, *, as_of: str = AS_OF, replace: bool = False, **more: Any) -> RunReport:
        """A run that the test begins with, often from a copy: the model may have been paid nothing for it."""
        return self.world.begin_with(self.settings(**more), as_of=as_of, replace=replace)

    def killed(self, at: str, **more: Any) -> None:
        """A child was killed there, its JVM too; the fault has happened."""
        code = self.crew.take().dies(self.order(at, **more))
        assert (code, self.marker.exists()) == (-9, True)

    @contextmanager
    def child(self) -> Iterator[Child]:
        """A child that lives on."""
        child = self.crew.take()
        yield child
        self.crew.give_back(child)

    @contextmanager
    def halted(self, at: str, do: str, **more: Any) -> Iterator[Child]:
        """The block while which a child stands still at a point; it goes on at the end, and still owes its answer."""
        with self.child() as child:
            child.begin(self.order(at, do, **more))
            try:
                assert eventually(self.marker.exists), child.log.read_text()[-3000:]
                yield child
            finally:
                self.go()

    def go(self) -> None:
        """Whoever stands still goes on."""
        Path(f"{self.marker}.go").touch()

    @contextmanager
    def during(self, where: str, deed: Callable[[], object]) -> Iterator[None]:
        """The block in which something else happens before a function of the run is called, once."""
        once = iter([deed])
        with contextmanager(around)(where, before=lambda: [one() for one in once]):
            yield
        assert next(once, None) is None, "it did not happen"

    def interrupted(self, where: str, **groups: Any) -> None:
        """An attempt that ended 75 before a function was called: the next one keeps its pins."""

        def fail() -> None:
            raise TemporaryError("gone for now")

        with pytest.raises(TemporaryError), self.during(where, fail):
            self.run(**groups)

    def check(self, *expected: Expected, table: str = "predictions") -> None:
        """The tables are as the faults never happened; of one as_of with all rows where nothing else is said."""
        check(self.world.home, self.world.registry, expected or [Expected(self.rows)], table=table)

    def check_monitoring(self, run_id: str | None) -> None:
        """What monitoring has written of a run is there once: a profile and a drift per column, a run in MLflow."""
        mine = f"run_id = '{run_id}'"
        profiles = self.world.table("predictions_profile").where(mine).collect()
        assert sorted(row["column_name"] for row in profiles) == ["label", "prediction", "x1", "x2"]
        assert {row["count"] for row in profiles} == {ROWS}
        drifts = self.world.table("predictions_drift").where(mine).collect()
        assert sorted(row["column_name"] for row in drifts) == ["label", "prediction", "x1", "x2"]
        client = MlflowClient(self.world.registry.uri, registry_uri=self.world.registry.uri)
        experiments = [one.experiment_id for one in client.search_experiments(filter_string="name LIKE 'sparkscore/%'")]
        assert len(client.search_runs(experiments, f"tags.`{RUN_TAG}` = '{run_id}'")) == 1

    def thrown_away(self) -> int:
        """Data files of the prediction table that no commit has added: of a MERGE that was killed, or tried again."""
        table = self.world.home / "tables" / "predictions"
        actions = [json.loads(line) for log in table.glob("_delta_log/*.json") for line in log.read_text().splitlines()]
        added = {Path(action["add"]["path"]).name for action in actions if "add" in action}
        return len({file.name for file in table.glob("as_of_date=*/*.parquet")} - added)

    def staged(self) -> list[int]:
        """Commits of each stage."""
        return [table.version() + 1 for table in self._stages()]

    def rows_staged(self, *columns: str) -> int:
        """Rows of the stages that have these columns."""
        tables = (table.to_pyarrow_table() for table in self._stages())
        return sum(table.num_rows for table in tables if {*columns} <= {*table.column_names})

    def _stages(self) -> list[DeltaTable]:
        return [DeltaTable(str(log.parent)) for log in self.world.home.glob("stage/*/*/_delta_log")]
