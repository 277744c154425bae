"""Datasets: `id` and k doubles in Parquet, as a plain Delta table (reader version 1); equal shapes are equal bytes."""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import Schema
from deltalake.transaction import AddAction, create_table_with_add_actions

KEY = "id"
SEED = 20131231
SAMPLE_ROWS = 20_000
"""Rows whose predictions are compared with the oracle's; they lie evenly over the table."""
FILE_ROWS = 1_600_000
"""With 20 doubles 256 MB, with two row groups of 128 MB, as Spark writes them."""
MAKERS = 1
"""Raised when what this module makes changes: what an earlier run has left is then made again."""
SLOTS = 4
"""A small table still has files for two cores."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a dataset looks like. Equal shapes are equal data."""

    rows: int
    columns: int = 20
    files: int | None = None
    """None: as many as Spark would write."""
    groups: int | None = None
    """Row groups of the whole table; None: two per file."""

    @property
    def name(self) -> str:
        """Names the folder."""
        return f"v{MAKERS}-rows-{self.rows}-columns-{self.columns}-files-{self.file_count}-groups-{self.group_count}"

    @property
    def file_count(self) -> int:
        """How many files there are."""
        return self.files or min(self.rows, max(SLOTS, -(-self.rows // FILE_ROWS)))

    @property
    def group_count(self) -> int:
        """How many row groups there are, of all files."""
        per_file = 2 if self.groups is None else max(1, self.groups // self.file_count)
        return self.file_count * per_file

    @property
    def features(self) -> list[str]:
        """The columns that go to the model."""
        return features(self.columns)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset on disk."""

    path: str
    shape: Shape
    bytes: int
    seconds: float
    """What making it took."""

    @property
    def files(self) -> list[str]:
        """Its Parquet files."""
        return [str(path) for path in sorted(Path(self.path).glob("*.parquet"))]

    def warm(self) -> None:
        """Reads all files once, so that every contender finds them in the page cache."""
        buffer = bytearray(1 << 22)
        for name in self.files:
            with Path(name).open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass

    def sample(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Ids and features of the rows that the oracle predicts."""
        table = pq.read_table(f"{self.path}.sample.parquet")
        return table[KEY].to_numpy(), np.column_stack([table[name].to_numpy() for name in self.shape.features])


def features(columns: int) -> list[str]:
    """Names of feature columns."""
    return [f"x{place:02d}" for place in range(columns)]


def rows(first: int, count: int, columns: int) -> pa.Table:
    """Rows `first` to `first + count`: a file's rows are a function of where it starts."""
    random = np.random.default_rng([SEED, columns, first])
    values = random.standard_normal((columns, count))
    arrays = {KEY: np.arange(first, first + count)} | dict(zip(features(columns), values, strict=True))
    return pa.table(arrays)


def made(shape: Shape, home: Path) -> Dataset:
    """The dataset, from an earlier run or made now. Its description is written last: half a dataset is made again."""
    folder, note = home / shape.name, home / f"{shape.name}.json"
    if not note.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        started = time.monotonic()
        adds = _written(shape, folder)
        schema = Schema.from_arrow(rows(0, 1, shape.columns).schema)
        create_table_with_add_actions(str(folder), schema, adds, mode="error")
        facts = {"bytes": sum(add.size for add in adds), "seconds": round(time.monotonic() - started, 2)}
        note.write_text(json.dumps(asdict(shape) | facts))
    facts = json.loads(note.read_text())
    return Dataset(str(folder), shape, facts["bytes"], facts["seconds"])


def _parts(shape: Shape) -> Iterator[tuple[int, int]]:
    edges = np.linspace(0, shape.rows, shape.file_count + 1).astype(int).tolist()
    return ((low, high - low) for low, high in pairwise(edges))


def _written(shape: Shape, folder: Path) -> list[AddAction]:
    step = max(1, shape.rows // SAMPLE_ROWS)
    adds, samples = [], []
    for place, (first, count) in enumerate(_parts(shape)):
        table = rows(first, count, shape.columns)
        path = folder / f"part-{place:06d}.parquet"
        group = max(1, -(-count * shape.file_count // shape.group_count))
        # random doubles: a dictionary only costs
        pq.write_table(table, path, row_group_size=group, compression="snappy", use_dictionary=False)
        adds.append(_add(path, first, count))
        samples.append(table.take(pa.array(np.arange(-first % step, count, step))))
    pq.write_table(pa.concat_tables(samples), f"{folder}.sample.parquet")
    return adds


def _add(path: Path, first: int, count: int) -> AddAction:
    stats = {"numRecords": count, "minValues": {KEY: first}, "maxValues": {KEY: first + count - 1}}
    return AddAction(path.name, path.stat().st_size, {}, int(path.stat().st_mtime * 1000), True, json.dumps(stats))
