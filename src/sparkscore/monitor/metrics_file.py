"""The file that node exporter's textfile collector reads: one per job, replaced by each run."""

import os
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from sparkscore.monitor.metrics import LAST_SUCCESS, LAST_SUCCESS_AS_OF, LastSuccess, metrics_text
from sparkscore.records import RunReport, Verdict
from sparkscore.redaction.secret_patterns import mask_secrets

MAX_METRICS_FILE_BYTES = 256 * 1024
"""Greatest size of the previous file in bytes; ours have 10 kB."""
MAX_AS_OF_AHEAD_S = 86_400.0
"""Seconds that an as_of of the previous file may lie in the future: a mistyped one must not stay the newest."""


def write_metrics(
    report: RunReport,
    folder: str | Path,
    *,
    at: datetime,
    verdicts: Sequence[Verdict] = (),
    cores: int | None = None,
) -> Path:
    """Replace `<folder>/<job>.prom`, or create it; its facts about the last success stay.

    Raises:  OSError when the folder cannot be written to.
    """
    path = Path(folder) / f"{report.job}.prom"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = metrics_text(report, at=at, verdicts=verdicts, cores=cores, earlier=_read_last_success(path, at.timestamp()))
    replace_metrics_file(path, text)
    return path


def replace_metrics_file(path: Path, text: str) -> None:
    """Put a text, without secrets, in the place of a file that a collector may read at any moment.

    Raises:  OSError.
    """
    # a name that does not end in .prom is nothing to the collector, which may look at any moment
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644)  # the collector is another user
            file.write(mask_secrets(text))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _read_last_success(path: Path, now: float) -> LastSuccess | None:
    """The last success in the file. Others may write there, too: nonsense counts as absent."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            text = file.read(MAX_METRICS_FILE_BYTES).decode(errors="replace")
    except OSError:
        return None
    return _parse_last_success(text, path.stem, now)


def _parse_last_success(text: str, job: str, now: float) -> LastSuccess | None:
    values = _parse_job_values(text, job)
    at = _plausible_time(values.get(LAST_SUCCESS), latest=now)
    as_of = _plausible_time(values.get(LAST_SUCCESS_AS_OF), latest=now + MAX_AS_OF_AHEAD_S)
    return None if at is None else LastSuccess(at, as_of)


def _parse_job_values(text: str, job: str) -> dict[str, float]:
    """The values of the job that have no other label, by name; none of a text that is not Prometheus' format."""
    try:
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except ValueError:
        return {}
    return {sample.name: sample.value for sample in samples if sample.labels == {"scoring_job": job}}


def _plausible_time(value: float | None, *, latest: float) -> float | None:
    return value if value is not None and 0 < value <= latest else None
