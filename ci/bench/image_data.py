"""Thousands of photographs of crops and re-encodings of those that packages carry; labels by plain Pillow."""

import io
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WEB, CAMERA = (500, 375), (3000, 2250)
_PHOTOS = (
    ("sklearn", "datasets/images/*.jpg"),
    ("matplotlib", "mpl-data/sample_data/*.jpg"),
    ("skimage", "data/*.jpg"),
    ("skimage", "data/[acm][sohe][tfet][rfel]*.png"),
)
"""scikit-learn, matplotlib, and scikit-image where it is installed: buildings, flowers, people, a cat, a coffee."""
MEAN, STD, SIDE, SIZE = 127 / 255, 128 / 255, 256, 224
"""What EfficientNet-Lite takes."""


def write_photos(folder: Path, *, count: int, size: tuple[int, int], seed: int = 0) -> None:
    """JPEG files of this size, each another crop."""
    folder.mkdir(parents=True, exist_ok=True)
    generator, photos = np.random.default_rng(seed), list(_load_photos())
    for index in range(count):
        photo = photos[index % len(photos)]
        share = generator.uniform(0.6, 1.0)
        width, height = (max(8, int(side * share)) for side in photo.size)
        left, top = (
            int(generator.integers(0, side - own + 1)) for side, own in zip(photo.size, (width, height), strict=True)
        )
        crop = photo.resize(size, Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))
        noise = generator.integers(-6, 7, (size[1] // 8, size[0] // 8, 1)).repeat(8, 0).repeat(8, 1)
        values = np.asarray(crop).astype(np.int16)
        values[: noise.shape[0], : noise.shape[1]] += noise.astype(np.int16)
        image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
        image.save(folder / f"{index:05}.jpg", quality=int(generator.integers(80, 96)))


def _load_photos() -> Iterator[Any]:
    for package, pattern in _PHOTOS:
        found = find_spec(package)
        for root in (found.submodule_search_locations or ()) if found else ():
            for file in sorted(Path(root).glob(pattern)):
                yield Image.open(file).convert("RGB")


def prepare_plainly(content: bytes) -> Any:
    """What people write: every pixel decoded, the shorter side resized, the middle cut, normalised; channels first."""
    image = Image.open(io.BytesIO(content)).convert("RGB")
    return prepare_pixels(image)


def prepare_pixels(image: Any) -> Any:
    """The same of decoded pixels: Pillow's image."""
    ratio = SIDE / min(image.size)
    image = image.resize((round(image.width * ratio), round(image.height * ratio)), Image.Resampling.BICUBIC)
    left, top = (image.width - SIZE) // 2, (image.height - SIZE) // 2
    values = np.asarray(image.crop((left, top, left + SIZE, top + SIZE)), np.float32)
    return ((values / 255 - MEAN) / STD).astype(np.float32).transpose(2, 0, 1)


class Labeller:
    """The network in onnxruntime, one thread."""

    def __init__(self, graph: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def label(self, images: Any) -> list[str]:
        """The number of the class of each image, as text."""
        given = self._session.get_inputs()[0].name
        found = [self._session.run(None, {given: images[at : at + 16]})[0] for at in range(0, len(images), 16)]
        return [str(one) for one in np.concatenate(found).argmax(1)]
