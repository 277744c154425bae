"""Folders that a run reaches without Spark, by pyarrow's file systems."""

from sparkscore.errors import ConfigError, ScanUnsupported
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import TableLocation, TableRef
from sparkscore.store.table_location import locate_table


def locate_reachable_folder(attempt: Attempt, folder: str, *, problem: str, advice: str) -> TableLocation:
    """A folder as pyarrow reaches it, with the session's own credentials.

    `problem` and `advice` are the words of the error, before the reason and behind it.

    Jobs:    none.
    Runs on: driver.
    Raises:  ConfigError for a store that only Spark reaches.
    """
    try:
        return locate_table(attempt.session, TableRef(folder, folder))
    except ScanUnsupported as error:
        attempt.require_session()  # which may know more of the store
        raise ConfigError(
            f"{problem}: {error.found}",
            "a local folder, or a store that pyarrow reaches with the session's credentials",
            advice,
        ) from error
