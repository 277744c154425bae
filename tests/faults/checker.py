"""The one checker: whatever has happened to runs before, this is how their tables have to be afterwards.

Reads with pyarrow and Delta's log as it lies there: nothing of the suite, and no Spark.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from sparkscore.records import FOLLOW_UP_EVENTS
from tests.world import AS_OF, MODEL, Registry

TOLERANCE = 1e-12
"""Between batches of other sizes, for float64."""
_FINAL = {"published", "failed", "aborted"}


@dataclass(frozen=True)
class Expected:
    """What readers have to see for an as_of: one row per row of the source, each with this model's prediction."""

    rows: pa.Table
    as_of: str = AS_OF
    version: int = 1
    rejected: int = 0
    """So many further rows of the source have no prediction."""
    deleted: tuple[int, ...] = ()
    """Keys of which a row says that the source no longer has them."""

    @property
    def moment(self) -> datetime:
        """The as_of."""
        return datetime.fromisoformat(self.as_of).replace(tzinfo=UTC)


def check(home: Path, registry: Registry, expected: Sequence[Expected], *, table: str = "predictions") -> None:
    """Every as_of is published exactly once, wholly and rightly, its events tell so, and there is nothing else."""
    where = Path(table) if table.startswith("/") else home / "tables" / table
    seen = DeltaTable(str(where)).to_pyarrow_table()
    events = DeltaTable(f"{where}_runs").to_pyarrow_table().sort_by("at")
    commits = _commits(where)
    as_ofs = {moment.astimezone(UTC) for moment in pc.unique(seen["as_of"]).to_pylist()}
    assert as_ofs == {one.moment for one in expected}, f"other as_ofs: {sorted(map(str, as_ofs))}"
    assert [run for run, count in commits.items() if count != 1] == [], f"more than one commit of a run: {commits}"
    _check_ends(events)
    for one in expected:
        mine = seen.filter(pc.equal(seen["as_of"], pa.scalar(one.moment, seen["as_of"].type)))
        run = _check_rows(mine, registry, one)
        assert commits[run] == 1, f"no commit of the run {run} in the table's history"
        _check_story(events.filter(pc.equal(events["as_of"], pa.scalar(one.moment, events["as_of"].type))), run, one)


def _check_rows(mine: pa.Table, registry: Registry, one: Expected) -> str:
    """Unique keys, all of them, each with the oracle's value, all of one run; that run. Deleted keys are marked."""
    if "_source_deleted" in mine.column_names:
        is_mark = pc.fill_null(mine["_source_deleted"], False)
        marks, mine = mine.filter(is_mark), mine.filter(pc.invert(is_mark))
        assert sorted(marks["id"].to_pylist()) == sorted(one.deleted), f"other marks for {one.as_of}"
        assert set(marks["run_id"].to_pylist()) <= set(mine["run_id"].to_pylist()), f"marks of other runs: {one.as_of}"
    keys, runs = mine["id"], pc.unique(mine["run_id"]).to_pylist()
    assert len(pc.unique(keys)) == len(keys), f"{len(keys) - len(pc.unique(keys))} keys twice for {one.as_of}"
    assert set(keys.to_pylist()) == set(one.rows["id"].to_pylist()), f"other keys for {one.as_of}"
    ordered, wanted = mine.sort_by("id"), one.rows.sort_by("id")
    oracle = registry.expected(wanted, version=one.version)
    np.testing.assert_allclose(ordered["prediction"].to_numpy(), oracle, rtol=0, atol=TOLERANCE)
    assert ordered["carrier"].to_pylist() == wanted["carrier"].to_pylist(), f"other pass-through for {one.as_of}"
    assert len(runs) == 1, f"{len(runs)} runs for {one.as_of}"
    models = {(name, version) for name, version in zip(*(mine[c].to_pylist() for c in _MODEL), strict=True)}
    assert models == {(MODEL, str(one.version))}, f"other models for {one.as_of}: {models}"
    return str(runs[0])


_MODEL = ("model_name", "model_version")


def _check_ends(events: pa.Table) -> None:
    """Every attempt has come to an end, and the last word on every as_of is one."""
    ends: dict[tuple[object, ...], set[str]] = {}
    last: dict[object, str] = {}
    for event in events.to_pylist():
        told = ends.setdefault((event["as_of"], event["revision"], event["attempt"]), set())
        told.add(event["event"])
        if event["event"] in FOLLOW_UP_EVENTS:
            assert "published" in told, f"{event['event']}, but not published: {event['as_of']}"
        else:
            last[event["as_of"]] = event["event"]
    still_open = [attempt for attempt, told in ends.items() if not told & _FINAL]
    assert still_open == [], f"attempts without an end: {still_open}"
    assert set(last.values()) <= _FINAL, f"the last word on an as_of is no end: {last}"


def _check_story(events: pa.Table, run: str, one: Expected) -> None:
    """The event of the publication tells of as many rows as there are, and none is missing between read and scored."""
    told = [event for event in events.to_pylist() if (event["event"], event["run_id"]) == ("published", run)]
    assert told, f"no event says that the run {run[:12]} of {one.as_of} was published"
    counts = {(event["rows_read"], event["rows_scored"], event["rows_rejected"]) for event in told}
    rows = one.rows.num_rows
    assert counts == {(rows + one.rejected, rows, one.rejected)}, f"{one.as_of}: {counts}"


def _commits(table: Path) -> Counter[str]:
    """How many commits of the table's history made each run visible."""
    found: Counter[str] = Counter()
    for file in sorted((table / "_delta_log").glob("*.json")):
        for line in file.read_text().splitlines():
            note = json.loads(json.loads(line).get("commitInfo", {}).get("userMetadata") or "{}")
            run = note.get("sparkscore", {}).get("run_id")  # an upkeep notes no run
            found.update([run] if run is not None else [])
    return found


def check_performance(home: Path, *, truths: Mapping[str, npt.NDArray[np.int64]], table: str = "predictions") -> None:
    """Each window, model version and slice is there once, and what it says is so, of the rows that readers see."""
    seen = DeltaTable(str(home / "tables" / table)).to_pyarrow_table()
    rows = DeltaTable(str(home / "tables" / f"{table}_performance")).to_pyarrow_table().to_pylist()
    names = ("as_of", "granularity", "model_version", "slice_key", "slice_value")
    grain = Counter(tuple(row[name] for name in names) for row in rows)
    assert [one for one, count in grain.items() if count != 1] == [], f"rows twice: {grain}"
    late = dict(zip(truths["id"].tolist(), truths["late"].tolist(), strict=True))
    for row in rows:
        mine = [
            (late[one["id"]], one["prediction"])
            for one in seen.to_pylist()
            if one["as_of"] == row["as_of"]
            and row["slice_value"] in (None, one[row["slice_key"] or "id"])
            and one["id"] in late
        ]
        known, scores = np.array([one[0] for one in mine]), np.array([one[1] for one in mine])
        assert row["labelled_count"] == len(mine), f"other truths: {row['labelled_count']} of {len(mine)}"
        assert abs(row["brier_score"] - np.mean((scores - known) ** 2)) < TOLERANCE, "another Brier score"
