"""Pixels of any size -> what a network takes: resized, cut, normalised. Runs on executors, in several threads."""

from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from sparkscore.workloads.images.image_decoding import DecodedImage

Fit = Literal["crop", "stretch", "pad"]
"""`crop`: the shorter side is resized, and the middle taken. `stretch`: both sides are. `pad`: the longer side is, and
the rest filled."""
FITS: tuple[Fit, ...] = ("crop", "stretch", "pad")
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_PAD_VALUE = 114
"""Grey, as detectors are trained with."""
_REACH = 4
"""How many pixels a filter reaches, of the smaller image: so many around the middle are resized with it."""


@dataclass(frozen=True, slots=True)
class PreparationOptions:
    """What a network takes."""

    width: int
    height: int
    fit: Fit = "crop"
    resize_to: int = 256
    """The shorter side before the middle is taken; of `crop` alone."""
    interpolation: str = "bicubic"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Per channel, of values from 0 to 1."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    """The same."""
    channels_first: bool = True

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image."""
        channels = len(self.mean)
        return (channels, self.height, self.width) if self.channels_first else (self.height, self.width, channels)

    @property
    def wanted_side(self) -> int:
        """The shorter side that an image is resized to, at least."""
        return self.resize_to if self.fit == "crop" else max(self.width, self.height)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an image lies in what the network sees: x of the network = x of the image * scale + offset."""

    width: int
    height: int
    x_scale: float
    y_scale: float
    x_offset: float
    y_offset: float

    def locate_boxes(self, boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Boxes of the network (left, top, right, bottom; n x 4) in pixels of the image as people see it."""
        offset = np.array([self.x_offset, self.y_offset] * 2, np.float32)
        scale = np.array([self.x_scale, self.y_scale] * 2, np.float32)
        limits = np.array([self.width, self.height] * 2, np.float32)
        found: npt.NDArray[np.float32] = np.clip((boxes - offset) / scale, 0, limits).astype(np.float32)
        return found


def fit_image(image: DecodedImage, options: PreparationOptions) -> tuple[Any, Placement]:
    """The image in the network's size, as Pillow's image, and where it lies in it."""
    filter_ = FILTERS[options.interpolation]
    if options.fit == "crop":
        return _resize_middle(image, options, filter_)
    width, height = options.width, options.height
    if options.fit == "pad":
        ratio = min(width / image.width, height / image.height)
        width, height = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
    resized = image.pixels.resize((width, height), filter_)
    left, top = (options.width - width) // 2, (options.height - height) // 2
    place = Placement(image.width, image.height, width / image.width, height / image.height, left, top)
    if (left, top, width, height) == (0, 0, options.width, options.height):
        return resized, place
    ground = Image.new(resized.mode, (options.width, options.height), (_PAD_VALUE,) * len(resized.getbands()))
    ground.paste(resized, (left, top))
    return ground, place


def normalise_pixels(pixels: Any, out: npt.NDArray[np.float32], options: PreparationOptions) -> None:
    """Write the pixels into `out`: value / 255, less the mean, by the deviation."""
    values = np.asarray(pixels)
    values = values[:, :, None] if values.ndim == 2 else values
    scale = 1.0 / (255.0 * np.array(options.std))
    shift = -np.array(options.mean) / np.array(options.std)
    for channel in range(len(options.mean)):
        target = out[channel] if options.channels_first else out[:, :, channel]
        np.multiply(values[:, :, channel], np.float32(scale[channel]), out=target, casting="unsafe")
        target += np.float32(shift[channel])


def _resize_middle(image: DecodedImage, options: PreparationOptions, filter_: Any) -> tuple[Any, Placement]:
    """The middle of the image that was resized as a whole; only what the filter reaches is computed."""
    ratio = options.resize_to / min(image.width, image.height)
    whole = max(options.width, round(image.width * ratio)), max(options.height, round(image.height * ratio))
    size, have = (options.width, options.height), image.pixels.size
    first = [(whole[axis] - size[axis]) // 2 for axis in (0, 1)]
    step = [have[axis] / whole[axis] for axis in (0, 1)]
    reach = [ceil(_REACH * max(1.0, 1 / step[axis])) for axis in (0, 1)]
    low = [max(0, first[axis] - reach[axis]) for axis in (0, 1)]
    high = [min(whole[axis], first[axis] + size[axis] + reach[axis]) for axis in (0, 1)]
    box = (low[0] * step[0], low[1] * step[1], min(have[0], high[0] * step[0]), min(have[1], high[1] * step[1]))
    near = image.pixels.resize((high[0] - low[0], high[1] - low[1]), filter_, box=box)
    left, top = first[0] - low[0], first[1] - low[1]
    cut = near.crop((left, top, left + size[0], top + size[1]))
    place = Placement(image.width, image.height, whole[0] / image.width, whole[1] / image.height, -first[0], -first[1])
    return cut, place
