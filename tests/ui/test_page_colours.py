"""The colours of the web page, by numbers: text has a contrast of 4.5 at least, edges and marks of 3 (WCAG 2, AA)."""

import re
from importlib.resources import files

import pytest

CSS = files("sparkscore.ui").joinpath("web_page.css").read_text()
LIGHT, DARK = (
    dict(re.findall(r"--(\w+): (#[0-9a-fA-F]{3,6})", block)) for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
)
TEXT = ("ink", "quiet", "blue", "hot", "good")
MARKS = ("edge", "mark", "vermilion")
"""Borders of what can be filled in, lines, dots and bars that stand out."""


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("below", ["paper", "shade"])
@pytest.mark.parametrize("name", TEXT)
def test_text_is_read_on_paper_and_on_a_row_that_is_pointed_at(name: str, below: str, colours: dict[str, str]) -> None:
    assert contrast(colours[name], colours[below]) >= 4.5


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", MARKS)
def test_marks_are_seen_on_paper(name: str, colours: dict[str, str]) -> None:
    assert contrast(colours[name], colours["paper"]) >= 3


def test_dark_has_every_colour_that_light_has() -> None:
    assert LIGHT.keys() == DARK.keys()


def test_every_colour_of_the_pictures_has_one_for_dark_pages() -> None:
    from sparkscore.monitor.report import drawing

    used = {
        value for name, value in vars(drawing).items() if name.isupper() and re.fullmatch("#[0-9a-fA-F]{6}", str(value))
    }
    assert {colour for colour in used if f'="{colour}"]' not in CSS} == set()
