"""Images of which the tests know every pixel, in files of all kinds."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
ORIENTATION = 0x0112


def draw_pixels(width: int = 60, height: int = 40, *, seed: int = 0) -> Pixels:
    """A picture that looks different from every side."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(seed).integers(0, 40, (height, width))
    return np.stack([x * 215 // width + noise, y * 215 // height + noise, (x + 2 * y) % 215 + noise], 2).astype(
        np.uint8
    )


def encode_pixels(pixels: Any, kind: str = "PNG", **options: Any) -> bytes:
    """An image file with these pixels: an array, or Pillow's image."""
    image = Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def write_png(width: int, height: int, *, depth: int, color: int, rows: bytes) -> bytes:
    """A PNG by hand, for what Pillow does not write. `rows`: each with its filter byte."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def make_bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A file of a megabyte at most, with gigabytes of pixels."""
    packer = zlib.compressobj(9)
    row = b"\0" * (width // 8 + 2)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(one)) + name + one + struct.pack(">I", zlib.crc32(name + one)) for name, one in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def lay_on_its_side(upright: Pixels, orientation: int) -> Pixels:
    """As a camera stores what it noted this orientation for."""
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }
    return np.ascontiguousarray(turned[orientation])


def note_orientation(orientation: int) -> Image.Exif:
    """A camera's note."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def plain_image(colour: str, *, size: tuple[int, int] = (50, 40), kind: str = "PNG") -> bytes:
    """An image of one colour: red, green or blue."""
    values = np.zeros((*size[::-1], 3), np.uint8)
    values[:, :, ("red", "green", "blue").index(colour)] = 255
    return encode_pixels(values, kind)
