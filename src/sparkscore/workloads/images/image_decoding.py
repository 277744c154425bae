"""Bytes of an image file -> its pixels, upright, in eight bits. Pillow alone. Runs on executors, in several threads."""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from math import ceil
from threading import Semaphore
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "ICO")
"""Of all that Pillow reads: none that starts another program (EPS) or names other files."""
MAX_PIXELS = 89_478_485
"""Where Pillow warns of a decompression bomb: a quarter of a gigabyte of pixels."""
MOST_PIXELS = 2 * MAX_PIXELS
"""Where Pillow itself refuses."""
SHRINK_MARGIN = 3.0
"""A JPEG is decoded at a half, a quarter or an eighth only where so many times the wanted size is left: of 112
photographs of 3000 x 2250 pixels 2 then get another label from EfficientNet-Lite0 (with twice: 4), for a third of the
CPU time. That is not nothing, so it has to be asked for."""

_LARGE_PIXELS = 25_000_000
"""Images that are decoded to more are decoded one after the other, however many threads there are."""
_ORIENTATION_TAG = 0x0112
_TURNS: Mapping[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes an image upright, by the orientation that its camera noted."""
_ON_THEIR_SIDE = (5, 6, 7, 8)
_SIXTEEN_BITS = 65535
_one_large_image = Semaphore(1)


class BrokenImageError(Exception):
    """An image that no model gets. `code`: what its row is rejected by; `message`: why, without any of its content."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How images are decoded."""

    max_pixels: int = MAX_PIXELS
    """An image of more is rejected before its pixels are read."""
    grey: bool = False
    """One channel in place of three."""
    background: tuple[int, int, int] = (255, 255, 255)
    """What shows through transparent pixels."""
    shrink: bool = False
    """Whether a JPEG much larger than wanted is decoded at a half, a quarter or an eighth of its size."""


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """An upright image."""

    pixels: Any
    """Pillow's image, of mode RGB or L."""
    width: int
    """Pixels of the image as people see it, before it was shrunk."""
    height: int
    """The same."""


def decode_image(content: bytes, options: DecodingOptions, *, wanted: int | None = None) -> DecodedImage:
    """The first frame of an image file, upright, in eight bits per channel.

    `wanted`: the length of the shorter side to which the caller will resize, in pixels; None: every pixel is wanted.

    Runs on: executor, in any thread.
    Raises:  BrokenImageError with the codes `image_empty`, `image_unreadable`, `image_truncated`, `image_too_large`.
    """
    if not content:
        raise BrokenImageError("image_empty", "the file has no bytes")
    with _name_broken_images(), Image.open(io.BytesIO(content), formats=FORMATS) as image:
        width, height = image.size
        _refuse_huge_image(width, height, options)
        if options.shrink and wanted is not None:
            _shrink_on_load(image, wanted)
        is_large = image.width * image.height > _LARGE_PIXELS
        with _one_large_image if is_large else nullcontext():
            image.load()
            orientation = _read_orientation(image)
            pixels = _to_eight_bits(image, options)
            if orientation in _TURNS:
                pixels = pixels.transpose(_TURNS[orientation])
        if orientation in _ON_THEIR_SIDE:
            width, height = height, width
        return DecodedImage(pixels, width, height)


def ignore_size_warnings() -> None:
    """Keep Pillow from warning of large images, which `decode_image` refuses where they are not allowed."""
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@contextmanager
def _name_broken_images() -> Iterator[None]:
    try:
        yield
    except (BrokenImageError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise BrokenImageError("image_unreadable", "no image in a format that is read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BrokenImageError("image_too_large", "more pixels than Pillow allows") from None
    except Exception as error:  # noqa: BLE001 - plugins raise whatever: SyntaxError, struct.error, ValueError, EOFError
        text = str(error).lower()
        if isinstance(error, EOFError) or "truncated" in text or "not enough" in text:
            raise BrokenImageError("image_truncated", "the file ends before the image does") from None
        raise BrokenImageError("image_unreadable", f"Pillow raised {type(error).__name__}") from None


def _refuse_huge_image(width: int, height: int, options: DecodingOptions) -> None:
    if width < 1 or height < 1:
        raise BrokenImageError("image_unreadable", "an image without pixels")
    if width * height > options.max_pixels:
        raise BrokenImageError("image_too_large", f"{width:,} x {height:,} pixels; {options.max_pixels:,} are allowed")


def _shrink_on_load(image: Any, wanted: int) -> None:
    """Have a JPEG decoded smaller: the decoder leaves out what the resize would average away."""
    factor = SHRINK_MARGIN * wanted / min(image.size)
    if image.format in ("JPEG", "MPO") and factor < 1:
        image.draft(image.mode, (ceil(image.width * factor), ceil(image.height * factor)))


def _read_orientation(image: Any) -> int:
    """As the camera noted it; upright where what it noted cannot be read."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - damaged notes raise whatever, and the pixels are whole
        return 1


def _to_eight_bits(image: Any, options: DecodingOptions) -> Any:
    """The image in RGB or L. Of sixteen bits the upper eight are kept, as Pillow does with colours."""
    target = "L" if options.grey else "RGB"
    if image.mode == target and "transparency" not in image.info:
        return image.copy() if image.readonly else image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_upper_bits(image)).convert(target)
    if image.has_transparency_data:
        return _lay_on_background(image.convert("RGBA"), options.background).convert(target)
    return image.convert(target)


def _upper_bits(image: Any) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > _SIXTEEN_BITS:
        raise BrokenImageError("image_unreadable", "pixels that are neither of eight nor of sixteen bits")
    return (values.astype(np.uint16) >> 8).astype(np.uint8)


def _lay_on_background(image: Any, background: tuple[int, int, int]) -> Any:
    ground = Image.new("RGBA", image.size, (*background, 255))
    ground.alpha_composite(image)
    return ground.convert("RGB")
