"""Files of images -> pixels, against pixels that the tests made themselves."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sparkscore.workloads.images.image_decoding import (
    BrokenImageError,
    DecodedImage,
    DecodingOptions,
    decode_image,
)
from tests.workloads.images.pictures import (
    Pixels,
    draw_pixels,
    encode_pixels,
    lay_on_its_side,
    make_bomb,
    note_orientation,
    write_png,
)

OPTIONS = DecodingOptions()
SHRINKING = DecodingOptions(shrink=True)


def pixels_of(image: DecodedImage) -> Pixels:
    return np.asarray(image.pixels)


def code_of(content: bytes, options: DecodingOptions = OPTIONS) -> str:
    with pytest.raises(BrokenImageError) as caught:
        decode_image(content, options)
    return caught.value.code


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"lossless": True}),
        ("PPM", {}),
    ],
)
def test_formats_without_loss_give_the_very_pixels(kind: str, given: dict[str, object]) -> None:
    own = draw_pixels()
    found = decode_image(encode_pixels(own, kind, **given), OPTIONS)
    np.testing.assert_array_equal(pixels_of(found), own)
    assert (found.width, found.height) == (60, 40)


def test_a_jpeg_is_near_its_pixels() -> None:
    y, x = np.mgrid[:40, :60]
    smooth = np.stack([x * 4, y * 6, x + y], 2).astype(np.uint8)
    found = decode_image(encode_pixels(smooth, "JPEG", quality=98), OPTIONS)
    assert np.abs(pixels_of(found).astype(int) - smooth).max() <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_what_a_camera_has_turned_stands_upright(orientation: int, kind: str) -> None:
    upright = draw_pixels()
    stored = lay_on_its_side(upright, orientation)
    content = encode_pixels(stored, kind, exif=note_orientation(orientation))
    found = decode_image(content, OPTIONS)
    np.testing.assert_array_equal(pixels_of(found), upright)
    assert (found.width, found.height) == (60, 40)


def test_damaged_notes_of_a_camera_leave_the_image_as_it_is() -> None:
    own = draw_pixels()
    content = encode_pixels(own, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff\x01\x02")
    np.testing.assert_array_equal(pixels_of(decode_image(content, OPTIONS)), own)


class TestSixteenBits:
    """The upper eight are kept."""

    values = np.arange(0, 65536, 41, dtype=np.uint16)[:1500].reshape(30, 50)

    @pytest.mark.parametrize(("kind", "type_"), [("PNG", "<u2"), ("TIFF", "<u2"), ("TIFF", ">u2")])
    def test_of_grey(self, kind: str, type_: str) -> None:
        mode = "I;16B" if type_ == ">u2" else "I;16"
        image = Image.frombytes(mode, (50, 30), self.values.astype(type_).tobytes())
        found = pixels_of(decode_image(encode_pixels(image, kind), OPTIONS))
        np.testing.assert_array_equal(found, np.stack([self.values >> 8] * 3, 2))

    def test_of_colours(self) -> None:
        colours = np.stack([self.values, self.values[::-1], 65535 - self.values], 2)
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in colours)
        content = write_png(50, 30, depth=16, color=2, rows=rows)
        np.testing.assert_array_equal(pixels_of(decode_image(content, OPTIONS)), colours >> 8)

    def test_of_fractions_there_are_none(self) -> None:
        assert code_of(encode_pixels(np.ones((4, 4), np.float32), "TIFF")) == "image_unreadable"


@pytest.mark.parametrize(("kind", "tolerance"), [("TIFF", 0), ("JPEG", 6)])
def test_inks_are_colours(kind: str, tolerance: int) -> None:
    inks = {(255, 0, 0, 0): (0, 255, 255), (0, 255, 0, 0): (255, 0, 255), (0, 0, 255, 0): (255, 255, 0)}
    inks |= {(0, 0, 0, 255): (0, 0, 0), (0, 0, 0, 0): (255, 255, 255), (0, 255, 255, 0): (255, 0, 0)}
    for ink, colour in inks.items():
        content = encode_pixels(Image.new("CMYK", (32, 16), ink), kind)
        found = pixels_of(decode_image(content, OPTIONS)).astype(int)
        assert np.abs(found - colour).max() <= tolerance, (ink, colour, found[0, 0])


class TestTransparency:
    """What is behind shows through."""

    def test_of_a_palette(self) -> None:
        image = Image.new("P", (2, 1))
        image.putpalette([200, 0, 0, 0, 0, 200] + [0] * 762)
        image.putdata([0, 1])
        content = encode_pixels(image, "PNG", transparency=1)
        assert pixels_of(decode_image(content, OPTIONS)).tolist() == [[[200, 0, 0], [255, 255, 255]]]
        on_black = DecodingOptions(background=(0, 0, 0))
        assert pixels_of(decode_image(content, on_black)).tolist() == [[[200, 0, 0], [0, 0, 0]]]

    def test_of_an_alpha_channel(self) -> None:
        own = np.array([[[100, 50, 0, 255], [100, 50, 0, 0], [0, 0, 0, 51]]], np.uint8)
        found = pixels_of(decode_image(encode_pixels(own), OPTIONS)).tolist()
        assert found == [[[100, 50, 0], [255, 255, 255], [204, 204, 204]]]

    def test_of_one_colour(self) -> None:
        own = np.array([[[9, 9, 9], [1, 2, 3]]], np.uint8)
        content = encode_pixels(own, "PNG", transparency=(1, 2, 3))
        assert pixels_of(decode_image(content, OPTIONS)).tolist() == [[[9, 9, 9], [255, 255, 255]]]


@pytest.mark.parametrize(
    ("kind", "given"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {"compression": "raw"})]
)
def test_of_what_moves_the_first_frame_is_taken(kind: str, given: dict[str, object]) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    content = encode_pixels(frames[0], kind, save_all=True, append_images=frames[1:], **given)
    found = pixels_of(decode_image(content, OPTIONS))
    np.testing.assert_array_equal(found, np.full((8, 8, 3), (255, 0, 0)))


def test_one_channel_is_grey_where_the_network_wants_that() -> None:
    own = np.array([[0, 100, 255]], np.uint8)
    assert pixels_of(decode_image(encode_pixels(own), DecodingOptions(grey=True))).tolist() == own.tolist()
    in_colours = np.repeat(own[:, :, None], 3, 2)
    assert pixels_of(decode_image(encode_pixels(own), OPTIONS)).tolist() == in_colours.tolist()


class TestBroken:
    """Each has a code, and no message holds anything of the file."""

    def test_without_bytes(self) -> None:
        assert code_of(b"") == "image_empty"

    @pytest.mark.parametrize("content", [b"\0" * 100, b"<html>secret</html>", b"\xff\xd8\xff\xe0", b"GIF89a"])
    def test_what_is_no_image(self, content: bytes) -> None:
        assert code_of(content) in ("image_unreadable", "image_truncated")

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF"])
    @pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
    def test_what_ends_too_early(self, kind: str, share: float) -> None:
        whole = encode_pixels(draw_pixels(200, 150), kind)
        assert code_of(whole[: int(len(whole) * share)]) in ("image_truncated", "image_unreadable")

    def test_a_torn_jpeg_is_named_as_such(self) -> None:
        whole = encode_pixels(draw_pixels(200, 150), "JPEG")
        assert code_of(whole[: len(whole) // 2]) == "image_truncated"

    def test_a_program_for_printers_is_no_image(self) -> None:
        assert code_of(encode_pixels(Image.new("RGB", (8, 8)), "EPS")) == "image_unreadable"

    def test_of_more_pixels_than_allowed(self) -> None:
        content = encode_pixels(draw_pixels(60, 40))
        assert code_of(content, DecodingOptions(max_pixels=60 * 40 - 1)) == "image_too_large"
        assert decode_image(content, DecodingOptions(max_pixels=60 * 40)).width == 60


def test_a_decompression_bomb_is_refused_without_memory_for_it(tmp_path: Path) -> None:
    file = tmp_path / "bomb.png"
    file.write_bytes(make_bomb())
    assert file.stat().st_size < 1 << 20
    program = f"""
import resource
from sparkscore.workloads.images.image_decoding import *
used = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20),) * 2)
try:
    decode_image(open({str(file)!r}, "rb").read(), DecodingOptions(max_pixels=MOST_PIXELS))
except BrokenImageError as broken:
    print(broken.code)
"""
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "image_too_large"


class TestShrinking:
    """A JPEG that is much larger than wanted is decoded smaller."""

    smooth = np.asarray(Image.fromarray(draw_pixels(30, 20)).resize((1200, 800), Image.Resampling.BICUBIC))

    @pytest.mark.parametrize(("wanted", "size"), [(30, (150, 100)), (60, (300, 200)), (100, (600, 400))])
    def test_to_three_times_the_wanted_size_at_least(self, wanted: int, size: tuple[int, int]) -> None:
        found = decode_image(encode_pixels(self.smooth, "JPEG"), SHRINKING, wanted=wanted)
        assert (found.pixels.size, found.width, found.height) == (size, 1200, 800)

    def test_it_looks_the_same(self) -> None:
        content = encode_pixels(self.smooth, "JPEG", quality=95)
        small = decode_image(content, SHRINKING, wanted=100).pixels.resize((150, 100), Image.Resampling.BICUBIC)
        whole = Image.fromarray(self.smooth).resize((150, 100), Image.Resampling.BICUBIC)
        assert np.abs(np.asarray(small).astype(int) - np.asarray(whole)).mean() < 2

    def test_on_its_side_too(self) -> None:
        stored = lay_on_its_side(self.smooth, 6)
        content = encode_pixels(stored, "JPEG", exif=note_orientation(6))
        found = decode_image(content, SHRINKING, wanted=60)
        assert (found.pixels.size, found.width, found.height) == ((300, 200), 1200, 800)

    @pytest.mark.parametrize(("kind", "wanted"), [("PNG", 100), ("JPEG", 401), ("JPEG", None)])
    def test_what_has_no_smaller_form_is_whole(self, kind: str, wanted: int | None) -> None:
        found = decode_image(encode_pixels(self.smooth, kind), SHRINKING, wanted=wanted)
        assert found.pixels.size == (1200, 800)

    def test_not_where_nobody_asks_for_it(self) -> None:
        content = encode_pixels(self.smooth, "JPEG")
        assert decode_image(content, OPTIONS, wanted=100).pixels.size == (1200, 800)
