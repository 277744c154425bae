"""Frames of a video as rows. The video is made here: each second of it has a colour of its own."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pyspark.sql import SparkSession

from sparkscore import explode_video_frames
from sparkscore.errors import ConfigError
from sparkscore.workloads.images.video_frames import sample_video_frames

COLOURS = ((200, 20, 20), (20, 200, 20), (20, 20, 200))


@pytest.fixture(scope="module")
def video() -> bytes:
    """Three seconds, ten frames each."""
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(30):
            values = np.full((48, 64, 3), COLOURS[number // 10], np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(values, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def colour_of(frame: bytes | None) -> Any:
    assert frame is not None
    return np.asarray(Image.open(io.BytesIO(frame))).mean((0, 1))


@pytest.mark.parametrize(("every_s", "seconds"), [(1.0, [0, 1, 2]), (0.5, [0, 0.5, 1, 1.5, 2, 2.5]), (10.0, [0])])
def test_a_frame_is_taken_every_so_many_seconds(video: bytes, every_s: float, seconds: list[float]) -> None:
    found = list(sample_video_frames(video, every_s=every_s, max_frames=100))
    assert [one.number for one in found] == list(range(len(seconds)))
    assert [one.seconds for one in found] == pytest.approx(seconds, abs=0.01)
    for one, at in zip(found, seconds, strict=True):
        assert np.abs(colour_of(one.content) - COLOURS[int(at)]).max() < 12


def test_no_more_than_asked_for(video: bytes) -> None:
    assert len(list(sample_video_frames(video, every_s=0.1, max_frames=4))) == 4


@pytest.mark.parametrize("content", [b"", b"no video", b"\0" * 1000])
def test_what_is_no_video_is_one_row_without_content(video: bytes, content: bytes) -> None:
    assert list(sample_video_frames(content, every_s=1, max_frames=9)) == [(0, None, None)]


def test_rows_keep_the_columns_of_their_video(spark: SparkSession, video: bytes) -> None:
    videos = spark.createDataFrame(
        [("a", video, 1), ("b", b"", 2), ("c", None, 3)], "path string, content binary, x int"
    )
    rows = explode_video_frames(videos, every_s=1.0).orderBy("path", "frame_index").collect()
    assert [(row["path"], row["x"], row["frame_index"], row["content"] is None) for row in rows] == [
        ("a", 1, 0, False),
        ("a", 1, 1, False),
        ("a", 1, 2, False),
        ("b", 2, 0, True),
        ("c", 3, 0, True),
    ]


def test_options_that_do_not_fit_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    videos = spark.createDataFrame([("a", b"")], "path string, content binary")
    with pytest.raises(ConfigError, match="every 0 seconds"):
        explode_video_frames(videos, every_s=0)
    with pytest.raises(ConfigError, match="a column clip"):
        explode_video_frames(videos, content="clip")
