"""The pages in a real browser, as wide as a phone."""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest

from sparkscore.monitor.report.page import job_page, run_page
from tests.monitor.report.pages import FULL, GATE, drift

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OFFLINE = (
    "--headless",
    "--hide-scrollbars",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
LONG = "a_name_without_any_room_to_break_" * 3
WIDE = replace(
    FULL,
    report=replace(FULL.report, job=LONG, table=LONG),
    drifts=(drift(LONG, 0.9, bins=(LONG, "b")), drift(LONG, 0.9, slice_key=LONG, slice_value=LONG)),
    verdicts=(replace(GATE, rules=(replace(GATE.rules[0], rule=LONG, observed=LONG),)),),
)
MEASURE = "<script>parent.document.body.title = `${innerWidth} ${document.documentElement.scrollWidth}`</script></body>"


def opened(html: str, folder: Path) -> str:
    """What Chromium makes of the page in a frame 390 pixels wide: its own windows are wider.

    A copy that may run scripts measures itself.
    """
    copy = re.sub("<meta http-equiv[^>]*>", "", html).replace("</body>", MEASURE)
    page = folder / "page.html"
    page.write_text(f'<iframe width="390" height="3000" style="border:0" srcdoc="{escape(copy)}"></iframe>')
    command = [str(CHROMIUM), *OFFLINE, f"--user-data-dir={folder}", "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
@pytest.mark.parametrize(
    "html",
    [lambda: run_page(WIDE), lambda: job_page(LONG, FULL.history)],
    ids=["run", "job"],
)
def test_a_phone_shows_the_whole_width_of_a_page(html: Callable[[], str], tmp_path: Path) -> None:
    assert re.findall('<body title="(.*?)"', opened(html(), tmp_path)) == ["390 390"]
