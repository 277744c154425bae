"""Pictures of the web page for the docs: `python ci/integration/ui/take_pictures.py HOME OUT [JOB]`.

HOME is a home folder with runs, as `sparkscore quickstart` leaves it. Needs Chromium.
"""

import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from tests.ui.chromium import Chromium, start_chromium
from tests.ui.served_pages import serve_pages

WIDTH, PHONE_WIDTH, MOST_HEIGHT = 1000, 360, 900


def take_picture(browser: Chromium, address: str, file: Path, *, width: int = WIDTH) -> None:
    """The upper part of a page, not more than is there."""
    browser.resize(width, 100, is_phone=width == PHONE_WIDTH)
    browser.open(address)
    height = min(int(browser.evaluate("document.documentElement.scrollHeight")), MOST_HEIGHT)
    browser.resize(width, height, is_phone=width == PHONE_WIDTH)
    browser.save_picture(file)


def main(home: str, out: str, job: str = "") -> None:
    """Take them all."""
    with tempfile.TemporaryDirectory() as profile, serve_pages(Path(home)) as served:
        listed = re.findall(r'href="/jobs/([\w.-]+)"', served.get("/").text)
        address = f"/jobs/{job or listed[0]}"
        (newest, *_) = re.findall(rf'href="({address}/runs/[^"]+)"', served.get(f"{address}?state=published").text)
        with start_chromium(Path(profile)) as browser:
            browser.prefer("light")
            for name, path in {"overview": "/", "job": address, "run": newest, "drift": f"{address}/drift"}.items():
                take_picture(browser, served.url + path, Path(out) / f"{name}.png")
            browser.prefer("dark")
            take_picture(browser, served.url + address, Path(out) / "job-phone-dark.png", width=PHONE_WIDTH)


if __name__ == "__main__":
    main(*sys.argv[1:])
