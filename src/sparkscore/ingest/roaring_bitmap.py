"""Positions in Delta's portable 64-bit Roaring bitmaps. Executors use it: numpy only.

A bitmap is kept as the bytes of its containers, of 65,536 positions each: what is asked for is decoded, no more.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

PositionMask = npt.NDArray[np.bool_]

_MAGIC = 1681511377
_COOKIE, _COOKIE_WITH_RUNS = 12346, 12347
_FEW_CONTAINERS = 4
"""With fewer than these, a bitmap with runs has no offsets."""
_CONTAINER_POSITIONS = 1 << 16
_MOST_IN_ARRAY = 4096
_BITSET_BYTES = _CONTAINER_POSITIONS // 8


class BitmapDamaged(ValueError):
    """Bytes that are no such bitmap."""


class RoaringBitmap:
    """A set of positions.

    Raises:  BitmapDamaged.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._containers = dict(_iterate_containers(_ByteReader(data)))
        except struct.error as error:
            raise BitmapDamaged(str(error)) from error
        self.cardinality = sum(container.positions for container in self._containers.values())
        """How many positions are in it."""

    def mask(self, first: int, last: int) -> PositionMask:
        """Whether each position from `first` to before `last` is in it."""
        mask = np.zeros(max(last - first, 0), np.bool_)
        for number in range(first // _CONTAINER_POSITIONS, -(-last // _CONTAINER_POSITIONS)):
            container, begin = self._containers.get(number), number * _CONTAINER_POSITIONS
            if container is not None:
                low, high = max(first, begin), min(last, begin + _CONTAINER_POSITIONS)
                container.mark(mask[low - first : high - first], low - begin)
        return mask


@dataclass(frozen=True, slots=True)
class _Container:
    kind: Literal["array", "bitset", "runs"]
    data: bytes
    positions: int
    """How many are in it."""

    def mark(self, mask: PositionMask, first: int) -> None:
        """Set those of a mask whose begin is this position of the container."""
        end = first + len(mask)
        if self.kind == "bitset":
            low, high = first // 8, -(-end // 8)
            bits = np.unpackbits(np.frombuffer(self.data, np.uint8)[low:high], bitorder="little")
            mask |= bits[first - low * 8 : end - low * 8].view(np.bool_)
        elif self.kind == "array":
            found = np.frombuffer(self.data, "<u2")
            inside = found[slice(*np.searchsorted(found, [first, end]))]
            mask[inside.astype(np.int64) - first] = True
        else:
            for start, last in self._runs():
                if start < end and last >= first:
                    mask[max(start - first, 0) : last + 1 - first] = True

    def count_positions(self) -> int:
        """How many there are by its content."""
        if self.kind == "bitset":
            return int.from_bytes(self.data, "little").bit_count()
        if self.kind == "array":
            found = np.frombuffer(self.data, "<u2")
            return 1 + int(np.count_nonzero(found[1:] > found[:-1]))  # all of them, where they ascend
        return sum(last - start + 1 for start, last in self._runs())

    def _runs(self) -> list[list[int]]:
        """The first and the last position of each run."""
        runs: list[list[int]] = np.frombuffer(self.data, "<u2").reshape(-1, 2).astype(np.int64).cumsum(1).tolist()
        return runs


class _ByteReader:
    """Bytes that are read one part after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def read_numbers(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, self.read_bytes(struct.calcsize(layout)))

    def read_bytes(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) < size:
            raise BitmapDamaged(f"it ends at byte {len(self._data):,}")
        self._at += size
        return part

    def require_end(self) -> None:
        if self._at != len(self._data):
            raise BitmapDamaged(f"{len(self._data) - self._at:,} bytes too many")


def _iterate_containers(data: _ByteReader) -> Iterator[tuple[int, _Container]]:
    """Each container with the number of its first position, in containers."""
    magic, bitmaps = data.read_numbers("<iq")
    if magic != _MAGIC:
        raise BitmapDamaged(f"the magic number {magic}, not {_MAGIC}")
    for _ in range(bitmaps):
        (key,) = data.read_numbers("<I")
        for low, container in _iterate_narrow_containers(data):
            yield (key << 16) + low, container
    data.require_end()


def _iterate_narrow_containers(data: _ByteReader) -> Iterator[tuple[int, _Container]]:
    """The containers of one bitmap of 32 bits."""
    (cookie,) = data.read_numbers("<I")
    has_runs = cookie & 0xFFFF == _COOKIE_WITH_RUNS
    if not has_runs and cookie != _COOKIE:
        raise BitmapDamaged(f"the cookie {cookie}")
    size = (cookie >> 16) + 1 if has_runs else data.read_numbers("<I")[0]
    if size > _CONTAINER_POSITIONS:
        raise BitmapDamaged(f"{size:,} containers")
    flags = (
        np.unpackbits(np.frombuffer(data.read_bytes(-(-size // 8)), np.uint8), bitorder="little") if has_runs else ()
    )
    header = np.frombuffer(data.read_bytes(4 * size), "<u2").reshape(-1, 2).tolist()
    if not has_runs or size >= _FEW_CONTAINERS:
        data.read_bytes(4 * size)  # offsets, which follow from what the header says
    for index, (low, more) in enumerate(header):
        is_run = has_runs and bool(flags[index])
        yield low, _read_container(data, more + 1, is_run=is_run)


def _read_container(data: _ByteReader, positions: int, *, is_run: bool) -> _Container:
    if is_run:
        (runs,) = data.read_numbers("<H")
        container = _Container("runs", data.read_bytes(4 * runs), positions)
    elif positions > _MOST_IN_ARRAY:
        container = _Container("bitset", data.read_bytes(_BITSET_BYTES), positions)
    else:
        container = _Container("array", data.read_bytes(2 * positions), positions)
    if container.count_positions() != positions:
        raise BitmapDamaged(f"a container of {container.count_positions():,} positions instead of {positions:,}")
    return container
