"""A back-fill in text and tables for a terminal: its plan, a line for each run that ends, and what came of it."""

from collections.abc import Sequence
from itertools import groupby

from rich.table import Table

from sparkscore.records import BackfilledRun, BackfillReport

_UNFINISHED = ("planned", "not_started")


def backfill_table(report: BackfillReport) -> Table:
    """The as_ofs, those together that follow one another and are alike."""
    table = Table(box=None, pad_edge=False)
    for name in ("as_of", "as_ofs", "", "source", "model", "rows", ""):
        table.add_column(name, justify="right" if name in ("as_ofs", "rows") else "left", overflow="fold")
    for _, group in groupby(report.runs, key=_alike):
        runs = list(group)
        rows = sum(run.rows_scored or 0 for run in runs)
        table.add_row(
            runs[0].as_of if len(runs) == 1 else f"{runs[0].as_of} to {runs[-1].as_of}",
            f"{len(runs):,}",
            _status_text(runs[0]),
            _source_text(runs),
            "" if runs[0].model_version is None else f"version {runs[0].model_version}",
            f"{rows:,}" if rows else "",
            runs[0].reason if runs[0].error is None else runs[0].error.message.partition("\n")[0],
        )
    return table


def describe_backfill(report: BackfillReport) -> str:
    """A line: how many as_ofs ended how, and how fast."""
    counts = ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in report.counts.items())
    speed = "" if report.rows_per_second is None else f", {report.rows_per_second:,.0f} rows/s"
    loads = f", {report.model_loads:,} loads of the model" if report.model_loads else ""
    seconds = report.seconds.get("total", 0)
    return f"{report.as_ofs:,} as_ofs: {counts}; {report.rows_scored:,} rows in {seconds:.1f} s{speed}{loads}"


def describe_backfill_progress(report: BackfillReport, run: BackfilledRun) -> str:
    """A line for a run that has ended: what came of it, how many are left, rows per second, and the time left."""
    to_do = [one for one in report.runs if one.action not in ("skip", "leave_out", "missing")]
    left = sum(one.status in _UNFINISHED for one in to_do)
    done, seconds = len(to_do) - left, report.seconds.get("total", 0)
    ended = f"{run.as_of} {_status_text(run)}" + (f", {run.rows_scored:,} rows" if run.rows_scored else "")
    if run.error is not None:
        ended += f": {run.error.message.partition(chr(10))[0]}"
    speed = "" if report.rows_per_second is None else f", {report.rows_per_second:,.0f} rows/s"
    return f"{done:,} of {len(to_do):,}: {ended}{speed}, {left:,} left, about {seconds / max(done, 1) * left:,.0f} s"


def _alike(run: BackfilledRun) -> tuple[object, ...]:
    why = run.reason if run.error is None else run.error.message
    return run.status, run.exit_code, run.action, run.model_version, why


def _status_text(run: BackfilledRun) -> str:
    planned = {"score": "to score", "continue": "to go on with", "make_up": "to monitor or export"}
    found = planned[run.action] if run.status == "planned" else run.status.replace("_", " ")
    return f"{found} ({run.exit_code})" if run.exit_code else found


def _source_text(runs: Sequence[BackfilledRun]) -> str:
    versions = sorted({run.source_version for run in runs if run.source_version is not None})
    if not versions:
        return ""
    return f"version {versions[0]}" if len(versions) == 1 else f"versions {versions[0]} to {versions[-1]}"
