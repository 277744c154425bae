"""The rows of a run on their way to a target: counted, and with the error that ended them."""

from collections.abc import Iterator

import pyarrow as pa

from sparkscore.errors import ExportFailed
from sparkscore.records import ExportedRun, ExportRows


class ExportedBatches:
    """One pass over the rows. A stream through C gives its reader no more than an error's text: kept here."""

    def __init__(self, run: ExportedRun, rows: ExportRows) -> None:
        self._run, self.schema = run, rows.schema
        self._batches = rows.open_batches()
        self.rows = 0
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The batches. Once."""
        try:
            for batch in self._batches:
                self.rows += batch.num_rows
                yield batch
        except GeneratorExit:
            raise
        except BaseException as error:
            self.error = error
            raise

    def check_count(self) -> None:
        """Refuse a pass that gave other rows than were published: they were replaced while they were read.

        Raises:  ExportFailed.
        """
        if self.rows != self._run.rows:
            raise ExportFailed(
                f"{self.rows:,} rows of run {self._run.run_id[:12]} are visible",
                f"{self._run.rows:,}, as published",
                "run the same command again: another revision may have been published meanwhile",
            )
