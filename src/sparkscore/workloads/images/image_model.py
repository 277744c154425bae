"""The image model that MLflow loads: a batch of files' contents, or paths -> predictions, and rejects for what is no
image. While the network works on one window of images, threads read and decode the next one. Runs on executors.
"""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Semaphore
from typing import Any

import numpy as np
import numpy.typing as npt

from sparkscore.records import RowReject, ScoredRows
from sparkscore.records.model_files import get_model_files
from sparkscore.workloads.images.file_reading import FileFolder
from sparkscore.workloads.images.image_decoding import BrokenImageError, decode_image, ignore_size_warnings
from sparkscore.workloads.images.image_networks import Network, load_network
from sparkscore.workloads.images.image_options import ImageModelOptions, load_image_options
from sparkscore.workloads.images.image_outputs import to_image_predictions
from sparkscore.workloads.images.image_preparation import Placement, fit_image, normalise_pixels

_REMOTE_READS = 16
"""Files of a store that are asked for at once, whatever the cores: they are waited for."""


def _load_pyfunc(data_path: str) -> "ImageModel":
    """What MLflow calls."""
    folder, threads = Path(data_path), count_threads()
    options = load_image_options(folder)
    files = FileFolder(get_model_files()) if options.source == "path" else None
    if files is not None:
        files.require_folder()
    ignore_size_warnings()
    return ImageModel(options, load_network(folder, threads=threads), threads=threads, files=files)


def count_threads() -> int:
    """As many as the task has cores, which it says where numerical libraries look; else as the process may use."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(told) if told.isdecimal() else len(os.sched_getaffinity(0)))


@dataclass(slots=True)
class _Outcome:
    """What became of a batch so far."""

    predictions: list[Any]
    rejects: dict[int, RowReject]
    decode_s: float = 0.0
    network_s: float = 0.0
    content_bytes: int = 0


class ImageModel:
    """Predicts for files of images."""

    def __init__(
        self, options: ImageModelOptions, network: Network, *, threads: int = 1, files: FileFolder | None = None
    ) -> None:
        self._options, self._network, self._files = options, network, files
        self._decoding = Semaphore(threads)
        workers = max(threads, _REMOTE_READS) if files is not None and files.is_remote else threads
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="images")

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> ScoredRows:
        """One prediction per row of the one column: the content of a file, or its path.

        Returns: what the saved `output` says, with `rejects` by row for what is no image, and the counts `images`,
                 `image_bytes`, `decode_seconds` (of all threads) and `network_seconds`.
        """
        rows = list(model_input.iloc[:, 0]) if hasattr(model_input, "iloc") else list(model_input)
        outcome = _Outcome([None] * len(rows), {})
        for positions, images, places in self._prepare_windows(rows, outcome):
            started = time.perf_counter()
            found = to_image_predictions(self._network(images), places, self._options)
            outcome.network_s += time.perf_counter() - started
            for position, prediction in zip(positions, found, strict=True):
                outcome.predictions[position] = prediction
        counts = {
            "images": len(rows) - len(outcome.rejects),
            "image_bytes": outcome.content_bytes,
            "decode_seconds": round(outcome.decode_s, 6),
            "network_seconds": round(outcome.network_s, 6),
        }
        return ScoredRows(outcome.predictions, outcome.rejects, counts)

    def _prepare_windows(
        self, rows: Sequence[Any], outcome: _Outcome
    ) -> Iterator[tuple[list[int], npt.NDArray[np.float32], list[Placement]]]:
        """Windows of images that the network can have, the next one in work while one is out."""
        size = self._options.window
        starts = list(range(0, len(rows), size))
        waiting = [self._submit_window(rows[first : first + size]) for first in starts[:1]]
        for index, first in enumerate(starts):
            window = waiting.pop(0)
            if index + 1 < len(starts):
                follower = starts[index + 1]
                waiting.append(self._submit_window(rows[follower : follower + size]))
            window.collect(first, outcome)
            if window.places:
                yield window.positions, window.images[: len(window.places)], window.places

    def _submit_window(self, rows: Sequence[Any]) -> "_Window":
        images = np.empty((len(rows), *self._options.preparation.shape), np.float32)
        return _Window(images, [self._pool.submit(self._prepare_row, row, images[at]) for at, row in enumerate(rows)])

    def _prepare_row(self, row: Any, out: npt.NDArray[np.float32]) -> "_PreparedRow":
        try:
            content = self._read_content(row)
            with self._decoding:
                started = time.perf_counter()
                options = self._options.preparation
                decoded = decode_image(content, self._options.decoding, wanted=options.wanted_side)
                pixels, place = fit_image(decoded, options)
                normalise_pixels(pixels, out, options)
                return _PreparedRow(place, None, time.perf_counter() - started, len(content))
        except BrokenImageError as broken:
            return _PreparedRow(None, RowReject(broken.code, broken.message))

    def _read_content(self, row: Any) -> bytes:
        if row is None or row != row:  # noqa: PLR0124 - NaN
            raise BrokenImageError("image_missing", "there is no file, nor a path of one")
        return bytes(row) if self._files is None else self._files.read_file(str(row))


@dataclass(frozen=True, slots=True)
class _PreparedRow:
    place: Placement | None
    reject: RowReject | None
    decode_s: float = 0.0
    content_bytes: int = 0


class _Window:
    """Some rows whose images are being decoded into one array."""

    def __init__(self, images: npt.NDArray[np.float32], rows: list["Future[_PreparedRow]"]) -> None:
        self.images, self._rows = images, rows
        self.positions: list[int] = []
        self.places: list[Placement] = []

    def collect(self, first: int, outcome: _Outcome) -> None:
        """Wait for all; images come together at the beginning of the array, in order, and rejects aside."""
        for at, one in enumerate(self._rows):
            found = one.result()
            if found.reject is not None:
                outcome.rejects[first + at] = found.reject
            elif found.place is not None:
                if len(self.places) < at:
                    self.images[len(self.places)] = self.images[at]
                self.positions.append(first + at)
                self.places.append(found.place)
            outcome.decode_s += found.decode_s
            outcome.content_bytes += found.content_bytes
