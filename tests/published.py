"""Publications made by hand, for tests of what reads them: a prediction table, its run events, a table of truths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from sparkscore.records import Pins, RunEvent, TableRef
from sparkscore.schemas import ContractColumn, prediction_contract
from sparkscore.settings import Settings
from sparkscore.store.run_events import ensure_events_table, record_events
from sparkscore.store.small_tables import ensure_small_table
from sparkscore.store.table import Table

JOB = "late-flights"
PINS = Pins("source", 0, "late", "1", "digest", "scoring")


def moment(text: str) -> datetime:
    """An as_of."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class PublishedHome:
    """A home folder with publications of one job."""

    spark: SparkSession
    home: Path
    output: pa.DataType = field(default_factory=pa.float64)
    keys: Sequence[str] = ("id",)
    threshold: float | None = None

    def path(self, name: str) -> str:
        """Where a plain name's table lies."""
        return str(self.home / "tables" / name)

    def settings(self, **groups: Any) -> Settings:
        """The job's settings, with truths in `truths`."""
        values: dict[str, Any] = {
            "job": JOB,
            "home": str(self.home),
            "source": {"table": "flights", "keys": list(self.keys), "passthrough": ["carrier"]},
            "model": {"uri": "models:/late@champion"},
            "output": {"table": "predictions", "threshold": self.threshold},
            "monitor": {"report": False, "mlflow": False},
            "labels": {"table": "truths", "truth": "late"},
        }
        for name, value in groups.items():
            values[name] = {**values.get(name, {}), **value}
        return Settings(**values)

    def publish(self, rows: Mapping[str, Any], *, as_of: str, version: str = "1", revision: int = 1) -> str:
        """Make rows visible for an as_of, with an event that says so; its run_id."""
        at, run_id = moment(as_of), f"{as_of}-{revision}"
        target = Table(self.spark, TableRef("predictions", self.path("predictions")))
        keys = [ContractColumn(key, pa.int64(), "A key.", nullable=False) for key in self.keys]
        carrier = [ContractColumn("carrier", pa.string(), "The airline.")]
        contract = prediction_contract(keys, self.output, carrier, threshold=self.threshold)
        ensure_small_table(target, contract, job=JOB)
        count = len(next(iter(rows.values())))
        lineage = {
            "model_name": "late",
            "model_version": version,
            "model_id": "",
            "run_id": run_id,
            "source_version": 0,
            "as_of": at,
            "as_of_date": at.date(),
            "scored_at": at,
        }
        columns = {name: [value] * count for name, value in lineage.items()}
        if self.threshold is not None:
            columns["label"] = [None] * count
        data = pa.table({**rows, **columns}, schema=contract.schema)
        predicate = f"as_of_date = '{at.date()}' AND as_of = '{at.isoformat()}'"
        table = DeltaTable(self.path("predictions"))
        if revision > 1:
            table.delete(predicate)
        write_deltalake(self.path("predictions"), data, mode="append")
        ensure_events_table(target.sibling("_runs"), job=JOB)
        event = RunEvent(JOB, at, revision, 1, "published", datetime.now(UTC), run_id, PINS, rows_scored=count)
        record_events(target.sibling("_runs"), [event])
        return run_id

    def tell_truth(self, rows: pa.Table | Mapping[str, Any], *, mode: str = "append", name: str = "truths") -> None:
        """Write truths, as one more version of their table."""
        data = rows if isinstance(rows, pa.Table) else pa.table(rows)
        write_deltalake(self.path(name), data, mode=mode)  # type: ignore[call-overload]

    def performance(self) -> list[dict[str, Any]]:
        """The rows of the performance table, as a reader without Spark sees them."""
        table = DeltaTable(self.path("predictions_performance")).to_pyarrow_table()
        rows: list[dict[str, Any]] = table.to_pylist()
        return sorted(
            rows, key=lambda row: (row["as_of"], row["model_version"], row["slice_key"] or "", row["slice_value"] or "")
        )

    def commits(self) -> int:
        """Versions of the performance table."""
        return DeltaTable(self.path("predictions_performance")).version()
