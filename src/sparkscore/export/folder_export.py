"""Exports to a folder: each version of an as_of in a folder of its own, and a pointer that names the newest one.

<folder>/_export.json                                   whose folder it is
<folder>/2013-12-31T000000Z/_current.json               the pointer: run, revision, folder, files
<folder>/2013-12-31T000000Z/r00000001-1f0c9a2b-…/       the files of one version, and its _manifest.json
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pyarrow as pa

from sparkscore.errors import ConfigError, ExportFailed
from sparkscore.export.export_columns import check_export_columns
from sparkscore.export.exported_batches import ExportedBatches
from sparkscore.export.file_writers import write_export_files
from sparkscore.export.target_files import TargetFiles, translate_file_errors
from sparkscore.records import ExportedRun, ExportRows, TableLocation, TargetState, to_utc_text

POINTER_FILE = "_current.json"
MANIFEST_FILE = "_manifest.json"
OWNER_FILE = "_export.json"
_VERSION_FOLDER = re.compile(r"r(\d{8,})-[0-9a-f]{12}-[0-9a-f]{8}")


class FolderExport:
    """Parquet or CSV files in a folder. Object stores have no lock: a pointer that was set back is set forward again
    by whoever set it, as each version that is complete says so itself."""

    def __init__(self, location: TableLocation, *, name: str, kind: str, path: str) -> None:
        self._name, self._kind, self.description = name, kind, path
        self._files = TargetFiles(location)

    def check_columns(self, schema: pa.Schema, keys: tuple[str, ...]) -> None:
        """As `ExportTarget`; the folder may be no table."""
        check_export_columns(schema, name=self._name, kind=self._kind)
        if self._files.exists("_delta_log"):
            raise ConfigError(
                f"the folder of the export {self._name}, {self.description}, is a Delta table",
                "a folder of its own",
                "name another path",
            )

    def find_owner(self) -> str | None:
        """As `ExportTarget`."""
        with translate_file_errors(self.description):
            found = self._files.read_json(OWNER_FILE)
        return None if found is None else str(found.get("job"))

    def replace_rows(self, run: ExportedRun, rows: ExportRows) -> TargetState:
        """As `ExportTarget`: the pointer names the new version when that is complete."""
        folder = as_of_folder(run.as_of)
        with translate_file_errors(self.description):
            self._claim_folder(run)
            current = self._read_pointer(folder)
            if current is not None and current.covers(run):
                return current
            version = f"r{run.revision:08}-{run.run_id[:12]}-{uuid4().hex[:8]}"
            try:
                self._write_version(folder, version, run, rows)
            except BaseException as error:
                self._files.remove_folder(f"{folder}/{version}")
                current = self._read_pointer(folder) if isinstance(error, OSError) else None
                if current is not None and current.covers(run):  # who exported it has removed older files
                    return current
                raise
            state = self._point_to_newest(folder)
            self._remove_old_versions(folder, keep=version)
            return state

    def _claim_folder(self, run: ExportedRun) -> None:
        """Say whose folder it is.

        Raises:  ConfigError for another job's.
        """
        found = self._files.read_json(OWNER_FILE)
        if found is None:
            found = {"job": run.job, "format": self._kind}
            if not self._files.create_json(OWNER_FILE, found):
                found = self._files.read_json(OWNER_FILE) or found
        if (found.get("job"), found.get("format")) != (run.job, self._kind):
            raise ConfigError(
                f"{self.description} belongs to the {found.get('format')} export of the job {found.get('job')}",
                f"a folder for the {self._kind} export of the job {run.job}",
                "name another path",
            )

    def _read_pointer(self, folder: str) -> TargetState | None:
        return _state_of(self._files.read_json(f"{folder}/{POINTER_FILE}"))

    def _write_version(self, folder: str, version: str, run: ExportedRun, rows: ExportRows) -> None:
        batches = ExportedBatches(run, rows)
        written = write_export_files(batches, self._files, f"{folder}/{version}", self._kind)
        batches.check_count()
        manifest = {
            "job": run.job,
            "as_of": to_utc_text(run.as_of),
            "run_id": run.run_id,
            "revision": run.revision,
            "rows": run.rows,
            "folder": version,
            "files": written,
            "columns": rows.schema.names,
        }
        self._files.replace_json(f"{folder}/{version}/{MANIFEST_FILE}", manifest)

    def _point_to_newest(self, folder: str) -> TargetState:
        """Let the pointer name the newest complete version. Again, until no newer one has appeared meanwhile."""
        while True:
            with self._files.lock(f"{folder}/_lock"):
                newest = self._find_newest_version(folder)
                pointer = self._files.read_json(f"{folder}/{POINTER_FILE}")
                if pointer is None or pointer["revision"] < newest["revision"]:
                    self._files.replace_json(f"{folder}/{POINTER_FILE}", newest)
            state = self._read_pointer(folder)
            if state is not None and state.revision >= self._find_newest_version(folder)["revision"]:
                return state

    def _find_newest_version(self, folder: str) -> Mapping[str, Any]:
        names = sorted(name for name in self._files.list_names(folder) if _VERSION_FOLDER.fullmatch(name))
        found = (self._files.read_json(f"{folder}/{name}/{MANIFEST_FILE}") for name in reversed(names))
        newest = next((one for one in found if one is not None), None)
        if newest is None:
            raise ExportFailed(
                f"{self.description}/{folder} holds no complete version", "the one that was just written"
            )
        return newest

    def _remove_old_versions(self, folder: str, *, keep: str) -> None:
        """Remove versions before the previous one, and what attempts have left of revisions that are superseded: who
        has just read the pointer may still read the version that it named."""
        pointer = self._files.read_json(f"{folder}/{POINTER_FILE}") or {}
        names = sorted(name for name in self._files.list_names(folder) if _VERSION_FOLDER.fullmatch(name))
        older = [name for name in names if _revision_of(name) < pointer.get("revision", 0)]
        complete = [name for name in older if self._files.exists(f"{folder}/{name}/{MANIFEST_FILE}")]
        kept = {pointer.get("folder"), *complete[-1:]}
        for name in older:
            if name not in kept and name != keep:
                self._files.remove_folder(f"{folder}/{name}")


def as_of_folder(as_of: datetime) -> str:
    """The folder of an as_of. Not `as_of=…`: readers would take it for a partition, and the files have the column."""
    moment = as_of.astimezone(UTC)
    fraction = f".{moment.microsecond:06}" if moment.microsecond else ""
    return f"{moment:%Y-%m-%dT%H%M%S}{fraction}Z"


def _state_of(pointer: Mapping[str, Any] | None) -> TargetState | None:
    return None if pointer is None else TargetState(str(pointer["run_id"]), int(pointer["revision"]))


def _revision_of(version: str) -> int:
    found = _VERSION_FOLDER.fullmatch(version)
    assert found is not None  # noqa: S101  only such names are listed
    return int(found[1])
