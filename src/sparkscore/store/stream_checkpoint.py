"""The checkpoint of a job's stream: whose it is, where Spark keeps its own, and the as_of of each micro-batch.

<checkpoint>/stream-owner.json       whose it is, and which folder is Spark's now
<checkpoint>/1/                    Spark's own: offsets, commits
<checkpoint>/batches/1-17.json     the as_of of micro-batch 17, written before anything is done with its rows
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, PublishConflict
from sparkscore.records import MicroBatch, to_utc_text
from sparkscore.store.hadoop_folders import (
    create_text_file,
    list_file_names,
    list_folder_names,
    read_text_file,
    remove_text_file,
)
from sparkscore.store.hadoop_folders import write_text_file as replace_text_file

STAMP_FILE = "stream-owner.json"
KEPT_BATCHES = 100
"""As_ofs of so many micro-batches are kept in the checkpoint, as Spark keeps their offsets; the run events keep all."""
_TICK = timedelta(milliseconds=1)
"""Statistics of files, by which readers find the rows of an as_of, are exact to it."""


@dataclass(frozen=True, slots=True)
class CheckpointStamp:
    """Whose a checkpoint is, as its own file says."""

    job: str
    source: str
    format: str
    source_id: str = ""
    """Delta's id of the table; empty for other sources."""
    id: str = field(default_factory=lambda: uuid4().hex[:12])
    """Another one for each new beginning: micro-batches are counted anew."""
    folder: int = 1
    first_version: int | None = None
    """The first version of a Delta table whose new rows are scored; None: all rows that it has."""

    @classmethod
    def from_text(cls, text: str) -> "CheckpointStamp":
        """The inverse of `to_text`; what only a newer version knows is left out.

        Raises:  ConfigError.
        """
        try:
            found = json.loads(text)
            return cls(**{one.name: found[one.name] for one in fields(cls)})
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged_error(f"{STAMP_FILE} of the checkpoint is no stamp of a stream") from error

    def to_text(self) -> str:
        """As it stands in the file."""
        return json.dumps(asdict(self), indent=1) + "\n"


@dataclass(slots=True)
class StreamCheckpoint:
    """One checkpoint, as its stamp says. Driver only, in a classic session."""

    spark: SparkSession
    root: str
    stamp: CheckpointStamp
    _as_ofs: dict[int, datetime] | None = None

    @property
    def spark_folder(self) -> str:
        """The folder that Spark's query gets."""
        return f"{self.root}/{self.stamp.folder}"

    def list_batches(self, kind: Literal["offsets", "commits"] = "offsets") -> list[int]:
        """The numbers of the micro-batches that Spark has planned, or that it knows to be published, ascending."""
        names = list_file_names(self.spark, f"{self.spark_folder}/{kind}")
        return sorted(int(name) for name in names if name.isdigit())

    def load_offset(self, number: int) -> Mapping[str, Any] | None:
        """Where a micro-batch ends in the source, as Spark has planned it; None where that is not known any more."""
        text = read_text_file(self.spark, f"{self.spark_folder}/offsets/{number}")
        lines = (text or "").splitlines()
        found = json.loads(lines[-1]) if len(lines) > 2 and lines[-1].startswith("{") else None
        return found if isinstance(found, dict) else None

    def pin_batch(self, number: int, *, after: datetime | None) -> MicroBatch:
        """The micro-batch with its as_of: the one that it got first, whatever has happened since.

        A new one is later than that of every earlier micro-batch, and than `after`, also where the clock went back.

        Raises:  ConfigError where a later micro-batch was begun before: somebody has restored an older checkpoint.
        """
        known = self._load_as_ofs()
        if number in known:
            return MicroBatch(self.stamp.id, number, known[number], is_new=False)
        if known and number < max(known):
            raise ConfigError(
                f"the checkpoint {self.root} begins with micro-batch {number}, and {max(known)} was begun before",
                "the checkpoint as the last stream left it",
                "restore it, or begin anew: --new-checkpoint, with --stream.starting_version where it is to go on",
            )
        as_of = _choose_as_of([*known.values(), *([] if after is None else [after])])
        is_new = create_text_file(self.spark, self._batch_file(number), json.dumps({"as_of": to_utc_text(as_of)}))
        known[number] = self._read_as_of(number)
        if not is_new:
            raise PublishConflict(
                f"another stream works on micro-batch {number} of {self.root}",
                "one stream for one checkpoint",
                "end the other one first",
            )
        for older in [one for one in known if one < number - 1]:
            del known[older]
        remove_text_file(self.spark, self._batch_file(number - KEPT_BATCHES))
        return MicroBatch(self.stamp.id, number, known[number])

    def _load_as_ofs(self) -> dict[int, datetime]:
        """The as_ofs of the newest micro-batches that were begun before, and of all since."""
        if self._as_ofs is None:
            mine = f"{self.stamp.folder}-"
            names = list_file_names(self.spark, f"{self.root}/batches")
            numbers = [int(name[len(mine) : -5]) for name in names if name.startswith(mine) and name.endswith(".json")]
            self._as_ofs = {number: self._read_as_of(number) for number in sorted(numbers)[-2:]}
        return self._as_ofs

    def _read_as_of(self, number: int) -> datetime:
        file = self._batch_file(number)
        text = _read_own_file(self.spark, file) or "{}"
        try:
            return datetime.fromisoformat(json.loads(text)["as_of"])
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged_error(f"{file} holds no as_of of a micro-batch") from error

    def _batch_file(self, number: int) -> str:
        return f"{self.root}/batches/{self.stamp.folder}-{number}.json"


def _choose_as_of(earlier: list[datetime]) -> datetime:
    now = datetime.now(UTC)
    now -= timedelta(microseconds=now.microsecond % 1000)
    return max([now, *(one + _TICK for one in earlier)])


def _read_own_file(spark: SparkSession, file: str) -> str | None:
    """The text of a file of the checkpoint; None where there is none.

    Raises:  ConfigError where it is damaged; AccessDenied.
    """
    try:
        return read_text_file(spark, file)
    except ConfigError as error:
        raise ConfigError(error.found, error.expected, f"{error.do}; or begin anew with --new-checkpoint") from error


def _damaged_error(found: str) -> ConfigError:
    return ConfigError(found, "the file as a stream wrote it", "restore it, or begin anew with --new-checkpoint")


def load_stamp(spark: SparkSession, root: str) -> CheckpointStamp | None:
    """The stamp of a checkpoint; None where there is none.

    Raises:  ConfigError, AccessDenied.
    """
    text = _read_own_file(spark, f"{root}/{STAMP_FILE}")
    return None if text is None else CheckpointStamp.from_text(text)


def write_stamp(spark: SparkSession, root: str, stamp: CheckpointStamp) -> StreamCheckpoint:
    """The checkpoint with this stamp, from now on; what an earlier one has left stays in its own folder.

    Raises:  AccessDenied.
    """
    replace_text_file(spark, f"{root}/{STAMP_FILE}", stamp.to_text())
    return StreamCheckpoint(spark, root, stamp)


def count_checkpoint_folders(spark: SparkSession, root: str) -> int:
    """The greatest number of a folder of Spark's in a checkpoint; 0 where there is none."""
    return max((int(name) for name in list_folder_names(spark, root) if name.isdigit()), default=0)


def holds_foreign_files(spark: SparkSession, root: str) -> bool:
    """Whether there is something in the folder of a checkpoint that has no stamp."""
    return bool(list_file_names(spark, root) or list_folder_names(spark, root))
