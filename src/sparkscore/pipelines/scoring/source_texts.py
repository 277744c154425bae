"""What a plan says of the source: its filter, and the features that its rows get."""

from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.source_landing import source_conditions
from sparkscore.records import to_utc_text


def unlanded_source_text(attempt: Attempt) -> str:
    """A source without versions that is to be landed."""
    source = attempt.settings.source
    where = filter_text(attempt)
    return f"{source.table}, of the format {source.format}{where}; it would be landed in {attempt.source.path}"


def filter_text(attempt: Attempt) -> str:
    """The conditions of the filter; empty without one."""
    conditions = ", ".join(one.description for one in source_conditions(attempt.settings))
    return f", where {conditions}" if conditions else ""


def feature_lines(attempt: Attempt) -> list[tuple[str, str]]:
    """The feature tables, and what was joined of them if it is landed already."""
    source = attempt.settings.source
    if not source.features:
        return []
    tables = [
        f"{one.table} at version {one.version}"
        + (" (joined when the run begins)" if one.rows_matched is None else f" ({one.rows_matched:,} rows matched)")
        for one in attempt.report.features
    ]
    time = f"{source.event_time} of each row" if source.event_time else to_utc_text(attempt.as_of)
    return [("features", f"as of {time}: {'; '.join(tables)}")]


def increment_lines(attempt: Attempt) -> list[tuple[str, str]]:
    """Which rows of the source would be scored, where the config reads changes."""
    told = attempt.report.increment
    if told is None:
        return []
    if told.since is None:
        return [("rows", f"all: {told.reason}")]
    return [("rows", f"those that changed after version {told.since}, up to version {told.until}")]
