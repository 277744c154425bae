"""A log is read as Delta's protocol has it: checkpoints of each kind, commits after them, the newest action counts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkscore.errors import ScanUnsupported
from sparkscore.records import TableLocation
from sparkscore.store.log_replay import LOGGED_FILES, replay_log

Action = dict[str, Any]
PROTOCOL: Action = {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"]}}
METADATA: Action = {"metaData": {"id": "i", "schemaString": "{}", "partitionColumns": [], "configuration": {"x": "y"}}}
METADATA_TYPE = pa.struct(
    [
        ("id", pa.string()),
        ("schemaString", pa.string()),
        ("partitionColumns", pa.list_(pa.string())),
        ("configuration", pa.map_(pa.string(), pa.string())),
    ]
)
UUID = "3f9c419d-2bb5-43cf-80cd-c4ac26ca3ed4"


def vector(name: str) -> Action:
    return {"storageType": "u", "pathOrInlineDv": name, "offset": 1, "sizeInBytes": 9, "cardinality": 2}


def add(path: str, with_vector: str | None = None) -> Action:
    more = {} if with_vector is None else {"deletionVector": vector(with_vector)}
    return {"add": {"path": path, "size": 5, "partitionValues": {"p": path, "q": None}, "stats": "{}", **more}}


def remove(path: str, with_vector: str | None = None) -> Action:
    return {"remove": {"path": path, **({} if with_vector is None else {"deletionVector": vector(with_vector)})}}


def write_json(folder: Path, name: str, actions: Sequence[Action]) -> None:
    log = folder / "_delta_log"
    log.mkdir(exist_ok=True)
    (log / name).write_text("\n".join(json.dumps(action) for action in actions))


def write_parquet(folder: Path, name: str, adds: Sequence[Action], others: Sequence[Action] = ()) -> None:
    """A file of a checkpoint: a row per action."""
    path = folder / "_delta_log" / name
    path.parent.mkdir(exist_ok=True, parents=True)
    rows = [{**one["add"], "partitionValues": [*one["add"]["partitionValues"].items()]} for one in adds]
    typed = pa.Table.from_pylist(rows, LOGGED_FILES).to_struct_array().combine_chunks()
    total = len(adds) + len(others)
    columns = {"add": pa.concat_arrays([typed, pa.nulls(len(others), typed.type)])}
    for kind in {kind for other in others for kind in other}:
        values = [None] * len(adds) + [other.get(kind) for other in others]
        columns[kind] = pa.array(values, METADATA_TYPE if kind == "metaData" else None)
    assert all(len(column) == total for column in columns.values())
    pq.write_table(pa.table(columns), path)


def commit(folder: Path, version: int, *actions: Action) -> None:
    write_json(folder, f"{version:020}.json", actions)


def read_files(folder: Path, version: int) -> dict[str, str | None]:
    """Each file's deletion vector."""
    found = replay_log(TableLocation(str(folder), str(folder)), version)
    assert (found.metadata["id"], found.protocol["minReaderVersion"]) == ("i", 3)
    assert found.metadata["configuration"] == {"x": "y"}
    rows = found.files.to_pylist()
    assert all(dict(row["partitionValues"]) == {"p": row["path"], "q": None} for row in rows)
    return {row["path"]: row["deletionVector"] and row["deletionVector"]["pathOrInlineDv"] for row in rows}


def test_the_newest_action_of_a_file_counts_at_each_version(tmp_path: Path) -> None:
    commit(tmp_path, 0, PROTOCOL, METADATA, add("a"), add("b"))
    commit(tmp_path, 1, add("a", "v1"), remove("a"))
    commit(tmp_path, 2, remove("a", "v1"), add("a", "v2"), remove("b"))
    commit(tmp_path, 3, add("a", "v1"), remove("a", "v2"), add("c"))
    assert [read_files(tmp_path, version) for version in range(4)] == [
        {"a": None, "b": None},
        {"a": "v1", "b": None},
        {"a": "v2"},
        {"a": "v1", "c": None},
    ]


@pytest.mark.parametrize("kind", ["classic", "parts", "v2 in json", "v2 in parquet"])
def test_a_checkpoint_of_each_kind_holds_what_commits_before_it_said(tmp_path: Path, kind: str) -> None:
    first, second, table = [add("a", "v1"), add("b")], [add("c", "v3")], [PROTOCOL, METADATA]
    sidecars: list[Action] = [{"sidecar": {"path": f"{name}.parquet", "sizeInBytes": 1}} for name in ("one", "two")]
    name = f"{4:020}.checkpoint"
    if kind == "classic":
        write_parquet(tmp_path, f"{name}.parquet", [*first, *second], table)
    elif kind == "parts":
        write_parquet(tmp_path, f"{name}.{1:010}.{2:010}.parquet", first, table)
        write_parquet(tmp_path, f"{name}.{2:010}.{2:010}.parquet", second)
    else:
        write_parquet(tmp_path, "_sidecars/one.parquet", first)
        write_parquet(tmp_path, "_sidecars/two.parquet", second)
        if kind == "v2 in json":
            write_json(tmp_path, f"{name}.{UUID}.json", [{"checkpointMetadata": {"version": 4}}, *table, *sidecars])
        else:
            write_parquet(tmp_path, f"{name}.{UUID}.parquet", [], [*table, *sidecars])
    write_parquet(tmp_path, f"{5:020}.checkpoint.{1:010}.{2:010}.parquet", [add("half")], table)  # and not the other
    commit(tmp_path, 5, remove("b"), add("d"))
    commit(tmp_path, 6, add("a", "v2"), remove("a", "v1"))
    assert read_files(tmp_path, 4) == {"a": "v1", "b": None, "c": "v3"}
    assert read_files(tmp_path, 6) == {"a": "v2", "c": "v3", "d": None}


@pytest.mark.parametrize(
    ("actions", "why"),
    [
        ({0: [PROTOCOL, METADATA], 2: [add("a")]}, "lacks the commit 1"),
        ({1: [add("a")], 2: [add("b")]}, "lacks the commit 0"),
        ({0: [METADATA], 1: [], 2: []}, "no metadata or protocol"),
        ({0: [PROTOCOL, METADATA, add("a")], 1: [add("a", "v")], 2: []}, "names a file twice"),
    ],
)
def test_a_log_that_does_not_say_all_is_left_to_spark(
    tmp_path: Path, actions: dict[int, list[Action]], why: str
) -> None:
    for version, content in actions.items():
        commit(tmp_path, version, *content)
    with pytest.raises(ScanUnsupported, match=why):
        read_files(tmp_path, 2)
