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

from sparkscore.errors import ConfigError
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
                manifest = self._write_version(folder, version, run, rows)
            except BaseException as error:
                self._files.remove_folder(f"{folder}/{version}")
                current = self._read_pointer(folder) if isinstance(error, OSError) else None
                if current is not None and current.covers(run):  # who exported it has removed older files
                    return current
                raise
            state = self._point_to_newest(folder, manifest)
            self._remove_old_versions(folder, own=version)
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

    def _write_version(self, folder: str, version: str, run: ExportedRun, rows: ExportRows) -> Mapping[str, Any]:
        """The manifest of the version, which is complete."""
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
        return manifest

    def _point_to_newest(self, folder: str, own: Mapping[str, Any]) -> TargetState:
        """Let the pointer name this version, or a newer complete one. Again, until none has appeared meanwhile."""
        newest = own
        while True:
            with self._files.lock(f"{folder}/_lock"):
                pointer = self._files.read_json(f"{folder}/{POINTER_FILE}")
                if pointer is None or _is_replaced(pointer, newest):
                    self._files.replace_json(f"{folder}/{POINTER_FILE}", newest)
                    pointer = newest
            newest = self._find_newer_version(folder, pointer) or pointer
            if newest is pointer:
                return TargetState(str(pointer["run_id"]), int(pointer["revision"]))

    def _find_newer_version(self, folder: str, pointer: Mapping[str, Any]) -> Mapping[str, Any] | None:
        newer = [name for name in self._list_versions(folder) if _revision_of(name) > pointer["revision"]]
        found = (self._files.read_json(f"{folder}/{name}/{MANIFEST_FILE}") for name in reversed(newer))
        return next((one for one in found if one is not None), None)

    def _list_versions(self, folder: str) -> list[str]:
        """By revision."""
        return sorted(name for name in self._files.list_names(folder) if _VERSION_FOLDER.fullmatch(name))

    def _remove_old_versions(self, folder: str, *, own: str) -> None:
        """Remove versions before the previous one, and what attempts have left of revisions that are superseded: who
        has just read the pointer may still read the version that it named. The own one, too, where another process has
        exported the same run."""
        pointer = self._files.read_json(f"{folder}/{POINTER_FILE}") or {}
        older = [name for name in self._list_versions(folder) if _revision_of(name) < pointer.get("revision", 0)]
        complete = [name for name in older if self._files.exists(f"{folder}/{name}/{MANIFEST_FILE}")]
        for name in {*older, own} - {pointer.get("folder"), *complete[-1:]}:
            self._files.remove_folder(f"{folder}/{name}")


def as_of_folder(as_of: datetime) -> str:
    """The folder of an as_of. Not `as_of=…`: readers would take it for a partition, and the files have the column."""
    moment = as_of.astimezone(UTC)
    fraction = f".{moment.microsecond:06}" if moment.microsecond else ""
    return f"{moment:%Y-%m-%dT%H%M%S}{fraction}Z"


def _is_replaced(pointer: Mapping[str, Any], newer: Mapping[str, Any]) -> bool:
    """Whether a version takes the place of another one; of one revision but another run where the job began anew."""
    if pointer["revision"] == newer["revision"]:
        return bool(pointer["run_id"] != newer["run_id"])
    return bool(pointer["revision"] < newer["revision"])


def _state_of(pointer: Mapping[str, Any] | None) -> TargetState | None:
    return None if pointer is None else TargetState(str(pointer["run_id"]), int(pointer["revision"]))


def _revision_of(version: str) -> int:
    found = _VERSION_FOLDER.fullmatch(version)
    assert found is not None  # noqa: S101  only such names are listed
    return int(found[1])
