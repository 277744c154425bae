"""The pages of a job's tables: which there are, their columns, versions and sizes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow.compute as pc
from deltalake import DeltaTable
from pyspark.sql.types import StructType

from sparkscore.monitor.report.page_parts import Cell, Fact, PageTable, Section
from sparkscore.monitor.report.text_formats import UNKNOWN, count_text, number_text
from sparkscore.performance_schemas import PERFORMANCE_SUFFIX
from sparkscore.schemas import CHALLENGERS_SUFFIX, QUEUE_SUFFIX, REUSED_SUFFIX, SIDE_TABLES
from sparkscore.store.table import Table
from sparkscore.store.table_log import list_data_files, sum_logged_rows
from sparkscore.ui.run_cells import minute_text
from sparkscore.ui.served_jobs import ServedJob
from sparkscore.ui.table_reading import TableUnreadable, explain_unreadable
from sparkscore.ui.web_page import PageLink, WebPage, WrongRequest, place_in_job

PREDICTIONS = "predictions"
"""Name in addresses of the prediction table itself."""
TABLE_NAMES: Mapping[str, str] = {
    PREDICTIONS: "",
    **{
        suffix.strip("_"): suffix
        for suffix in (*SIDE_TABLES, PERFORMANCE_SUFFIX, CHALLENGERS_SUFFIX, QUEUE_SUFFIX, REUSED_SUFFIX)
    },
}
"""Suffixes of the tables of a job, by their names in addresses."""
_COMMITS = 20
_MOST_COLUMNS = 500


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What the log of a table says."""

    version: int
    files: int
    rows: int | None
    bytes: int
    delta: DeltaTable


def build_tables_page(job: ServedJob) -> WebPage:
    """The tables of a job."""
    rows, warnings = [], []
    for name, suffix in TABLE_NAMES.items():
        table = job.target.sibling(suffix) if suffix else job.target
        try:
            found = _find_facts(table)
        except TableUnreadable as error:
            warnings.append(str(error))
            rows.append((Cell("cannot be read", "warn"), Cell(table.name), *(Cell(UNKNOWN) for _ in range(4))))
            continue
        if found is not None:
            rows.append(
                (
                    Cell("readable", "good"),
                    Cell(table.name, link=f"{job.address}/tables/{name}"),
                    Cell(number_text(found.version)),
                    Cell(number_text(found.rows)),
                    Cell(number_text(found.files)),
                    Cell(size_text(found.bytes)),
                )
            )
    head = ("State", "Table", "Version", "Rows", "Files", "Size")
    table_part = PageTable("", head, tuple(rows), numbers=(2, 3, 4, 5))
    section = Section(
        "Tables of the job",
        "" if rows else "No table is there yet.",
        tables=(table_part,) if rows else (),
    )
    return place_in_job(WebPage("Tables", warnings=tuple(warnings), sections=(section,)), job, "tables")


def build_table_page(job: ServedJob, name: str) -> WebPage:
    """One table: columns, newest commits, properties.

    Raises:  WrongRequest for a name of no table; TableUnreadable.
    """
    if name not in TABLE_NAMES:
        raise WrongRequest(404, "The job has no table of this name.")
    suffix = TABLE_NAMES[name]
    table = job.target.sibling(suffix) if suffix else job.target
    found = _find_facts(table)
    if found is None:
        raise WrongRequest(404, f"There is no table {table.name}.")
    with explain_unreadable(table):
        metadata, protocol = found.delta.metadata(), found.delta.protocol()
        facts = (
            Fact("Version", number_text(found.version)),
            Fact("Rows", number_text(found.rows)),
            Fact("Files", number_text(found.files)),
            Fact("Size", size_text(found.bytes)),
            Fact("Reader version", str(protocol.min_reader_version)),
        )
        page = WebPage(
            table.name,
            str(metadata.description or ""),
            kind="Table",
            facts=facts,
            sections=(
                _columns_section(found.delta),
                _commits_section(found.delta),
                _properties_section(metadata.configuration),
            ),
            small=f"{table.path or table.name} · id {metadata.id}",
        )
    return place_in_job(page, job, "tables", PageLink("Tables", f"{job.address}/tables"))


def size_text(size: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def _find_facts(table: Table) -> TableFacts | None:
    """None where there is no table."""
    with explain_unreadable(table):
        if not table.exists():
            return None
        version = table.log.load_newest_version()
        delta = table.log.open_version(version)
        files = list_data_files(delta)
        size = pc.sum(files["size_bytes"]).as_py() if len(files) else 0
        return TableFacts(version, len(files), sum_logged_rows(files), int(size or 0), delta)


def _columns_section(delta: DeltaTable) -> Section:
    partitions = set(delta.metadata().partition_columns)
    schema = StructType.fromJson(json.loads(delta.schema().to_json()))
    rows = []
    for field in schema.fields[:_MOST_COLUMNS]:
        comment = str((field.metadata or {}).get("comment") or "")
        kind = field.dataType.simpleString()[:200] + (", partition" if field.name in partitions else "")
        rows.append((Cell(field.name), Cell(kind), Cell("yes" if field.nullable else "no"), Cell(comment)))
    head = ("Column", "Type", "May be NULL", "Comment")
    return Section("Columns", f"{count_text(len(schema), 'column')}.", tables=(PageTable("", head, tuple(rows)),))


def _commits_section(delta: DeltaTable) -> Section:
    rows = tuple(_commit_row(one) for one in delta.history(_COMMITS))
    head = ("Version", "At", "Operation", "Note")
    return Section("Newest commits", tables=(PageTable("", head, rows),))


def _commit_row(commit: Mapping[str, Any]) -> tuple[Cell, ...]:
    moment = commit.get("timestamp")
    at = datetime.fromtimestamp(moment / 1000, UTC) if isinstance(moment, int | float) else None
    note = str(commit.get("userMetadata") or UNKNOWN)[:500]
    return (
        Cell(number_text(commit.get("version"))),
        Cell(minute_text(at)),
        Cell(str(commit.get("operation") or UNKNOWN)),
        Cell(note),
    )


def _properties_section(properties: Mapping[str, str]) -> Section:
    rows = tuple((Cell(name), Cell(value)) for name, value in sorted(properties.items()))
    table = (PageTable("", ("Property", "Value"), rows),) if rows else ()
    return Section("Properties", "" if rows else "The table has none.", tables=table)
