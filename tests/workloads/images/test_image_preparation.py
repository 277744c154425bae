"""Pixels -> what a network takes, against the same by other means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sparkscore.workloads.images.image_decoding import DecodedImage
from sparkscore.workloads.images.image_preparation import (
    FILTERS,
    PreparationOptions,
    fit_image,
    normalise_pixels,
)
from tests.workloads.images.pictures import draw_pixels


def picture(width: int, height: int) -> DecodedImage:
    """Without steps from dark to light, beyond which filters swing: Pillow cuts that off after each of its two passes,
    and which of them comes first depends on the sizes."""
    pixels = draw_pixels(width, height) // 2 + 64
    pixels[:, :, 2] = (pixels[:, :, 0].astype(int) + pixels[:, :, 1]) // 2
    return DecodedImage(Image.fromarray(pixels), width, height)


@given(
    width=st.integers(3, 300),
    height=st.integers(3, 300),
    size=st.tuples(st.integers(1, 64), st.integers(1, 64)),
    more=st.integers(0, 20),
    interpolation=st.sampled_from(sorted(FILTERS)),
)
def test_the_middle_is_that_of_the_whole_image_resized(
    width: int, height: int, size: tuple[int, int], more: int, interpolation: str
) -> None:
    options = PreparationOptions(*size, resize_to=max(size) + more, interpolation=interpolation)
    image = picture(width, height)
    found = np.asarray(fit_image(image, options)[0]).astype(int)
    ratio = options.resize_to / min(width, height)
    whole = image.pixels.resize((round(width * ratio), round(height * ratio)), FILTERS[interpolation])
    left, top = (whole.width - size[0]) // 2, (whole.height - size[1]) // 2
    own = np.asarray(whole.crop((left, top, left + size[0], top + size[1]))).astype(int)
    assert found.shape == own.shape
    # each pass rounds, and there are two; of the nearest pixel there may be two
    assert interpolation == "nearest" or np.abs(found - own).max() <= 3
    assert interpolation == "nearest" or np.abs(found - own).mean() <= 1


def test_values_are_those_of_the_formula() -> None:
    pixels = draw_pixels(10, 8)
    options = PreparationOptions(10, 8, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    own = ((pixels / 255.0 - [0.1, 0.2, 0.3]) / [0.5, 0.25, 2.0]).transpose(2, 0, 1)
    out = np.empty(options.shape, np.float32)
    normalise_pixels(Image.fromarray(pixels), out, options)
    np.testing.assert_allclose(out, own, atol=2e-6)
    last = PreparationOptions(10, 8, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0), channels_first=False)
    out = np.empty(last.shape, np.float32)
    normalise_pixels(Image.fromarray(pixels), out, last)
    np.testing.assert_allclose(out, own.transpose(1, 2, 0), atol=2e-6)


def test_one_channel_has_one_plane() -> None:
    options = PreparationOptions(4, 2, mean=(0.0,), std=(1.0,))
    out = np.empty(options.shape, np.float32)
    normalise_pixels(Image.fromarray(np.full((2, 4), 51, np.uint8)), out, options)
    np.testing.assert_allclose(out, np.full((1, 2, 4), 0.2), atol=1e-6)


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
@pytest.mark.parametrize(("width", "height"), [(400, 200), (200, 400), (37, 91)])
def test_a_mark_is_where_the_placement_says(fit: str, width: int, height: int) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    box = (width // 2 - 6, height // 2 - 6, width // 2 + 6, height // 2 + 6)
    pixels[box[1] : box[3], box[0] : box[2]] = 255
    options = PreparationOptions(64, 64, fit=fit, resize_to=72)  # type: ignore[arg-type]
    fitted, place = fit_image(DecodedImage(Image.fromarray(pixels), width, height), options)
    white = np.argwhere(np.asarray(fitted)[:, :, 0] > 127)
    (top, left), (bottom, right) = white.min(0), white.max(0) + 1
    found = place.locate_boxes(np.array([[left, top, right, bottom]], np.float32))[0]
    pixel = max(1 / place.x_scale, 1 / place.y_scale)
    assert np.abs(found - box).max() <= pixel + 0.5, (found, box)


def test_what_is_filled_is_grey_and_boxes_end_at_the_image() -> None:
    options = PreparationOptions(20, 20, fit="pad")
    fitted, place = fit_image(picture(40, 20), options)
    values = np.asarray(fitted)
    assert (values[:5] == 114).all()
    assert (values[15:] == 114).all()
    assert not (values[5:15] == 114).all()
    assert place.locate_boxes(np.array([[-9, 0, 99, 99]], np.float32)).tolist() == [[0, 0, 40, 20]]
