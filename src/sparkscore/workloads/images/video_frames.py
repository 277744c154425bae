"""Frames of videos as rows: one every so many seconds, as a JPEG that an image model takes. Needs PyAV."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from sparkscore.errors import ConfigError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FRAME_COLUMNS = ("frame_index", "frame_s")

_ROWS = 16
"""Frames that are in memory at once, in each task."""
_QUALITY = 95


class SampledFrame(NamedTuple):
    """A frame of a video."""

    number: int
    """0 for the first one that is sampled."""
    seconds: float | None
    """From the beginning of the video."""
    content: bytes | None
    """As a JPEG; None where the video cannot be decoded from there on."""


def explode_video_frames(
    videos: "DataFrame", *, content: str = "content", every_s: float = 1.0, max_frames: int = 3600
) -> "DataFrame":
    """A row per sampled frame, with the columns of its video: `frame_index` and `frame_s` are added, and the column
    `content` holds the frame as a JPEG in the place of the video.

    What cannot be decoded is a row without content, which an image model rejects: the first one of a broken video, the
    next one of a torn one. Frames are those that begin at, or after, each multiple of `every_s`; at most `max_frames`
    of a video. How a phone was held is not known: turned videos stay turned.

    Needs:   a binary column of whole videos, such as `binaryFile` gives; PyAV on the executors (`sparkscore[video]`).
    Jobs:    none; frames are decoded when the result is computed, a few at a time in each task.
    Raises:  ConfigError for options that do not fit.
    """
    from pyspark.sql.types import DoubleType, IntegerType, StructField, StructType

    if every_s <= 0 or max_frames < 1:
        raise ConfigError(
            f"frames every {every_s} seconds, {max_frames} at most", "a time and a number above 0", "correct them"
        )
    taken = [name for name in FRAME_COLUMNS if name in videos.columns]
    if content not in videos.columns or taken:
        raise ConfigError(
            f"videos with the columns {', '.join(videos.columns)}",
            f"a column {content}, and none of {', '.join(FRAME_COLUMNS)}",
            "rename columns, or say which one holds the videos: content=…",
        )
    added = [StructField(FRAME_COLUMNS[0], IntegerType()), StructField(FRAME_COLUMNS[1], DoubleType())]
    schema = StructType([*videos.schema, *added])
    return videos.mapInArrow(_FrameTask(content, every_s, max_frames), schema)


def sample_video_frames(video: bytes, *, every_s: float, max_frames: int) -> Iterator[SampledFrame]:
    """The frames of a video, one by one.

    Runs on: executor.
    """
    import av

    number, due = 0, 0.0
    try:
        with av.open(io.BytesIO(video)) as container:
            for frame in container.decode(video=0):
                seconds = float(frame.time or 0.0)
                if seconds < due - 1e-6:
                    continue
                yield SampledFrame(number, seconds, _encode_frame(frame))
                number, due = number + 1, (seconds // every_s + 1) * every_s
                if number == max_frames:
                    return
    except (av.error.FFmpegError, IndexError, ValueError):  # IndexError: without a stream of pictures
        yield SampledFrame(number, None, None)
        return
    if number == 0:
        yield SampledFrame(0, None, None)


def _encode_frame(frame: Any) -> bytes:
    file = io.BytesIO()
    frame.to_image().save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class _FrameTask:
    """What a task does with batches of videos."""

    content: str
    every_s: float
    max_frames: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in range(batch.num_rows):
                yield from self._explode_video(batch.slice(row, 1))

    def _explode_video(self, video: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        content = video.column(self.content)[0].as_py()
        frames: list[SampledFrame] = []
        for frame in sample_video_frames(content or b"", every_s=self.every_s, max_frames=self.max_frames):
            frames.append(frame)
            if len(frames) == _ROWS:
                yield self._to_batch(video, frames)
                frames = []
        if frames:
            yield self._to_batch(video, frames)

    def _to_batch(self, video: pa.RecordBatch, frames: list[SampledFrame]) -> pa.RecordBatch:
        repeated = pa.array([0] * len(frames), pa.int32())
        arrays = {
            name: pa.array([frame.content for frame in frames], pa.binary())
            if name == self.content
            else column.take(repeated)
            for name, column in zip(video.schema.names, video.columns, strict=True)
        }
        arrays[FRAME_COLUMNS[0]] = pa.array([frame.number for frame in frames], pa.int32())
        arrays[FRAME_COLUMNS[1]] = pa.array([frame.seconds for frame in frames], pa.float64())
        return pa.record_batch(list(arrays.values()), list(arrays))
