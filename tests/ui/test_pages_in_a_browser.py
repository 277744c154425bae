"""The web page in a real browser: keyboard, a phone, dark colours, and no address but its own.

With AXE_FILE, the path of axe.min.js, also by the rules of accessibility that axe-core has.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.ui.chromium import CHROMIUM, Chromium, start_chromium
from tests.ui.homes import JOB, list_run_events, make_run, write_events, write_home
from tests.ui.served_pages import Served, serve_pages

pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")]
PAGES = {
    "overview": "/",
    "runs of all jobs": f"/runs?job={JOB}",
    "job": f"/jobs/{JOB}",
    "run": f"/jobs/{JOB}/runs/2013-12-09T00:00:00Z@1",
    "failed run": f"/jobs/{JOB}/runs/2013-12-11T00:00:00Z@1",
    "gates": f"/jobs/{JOB}/gates",
    "drift": f"/jobs/{JOB}/drift",
    "performance": f"/jobs/{JOB}/performance",
    "rejects": f"/jobs/{JOB}/rejects",
    "models": f"/jobs/{JOB}/models",
    "tables": f"/jobs/{JOB}/tables",
    "table": f"/jobs/{JOB}/tables/predictions",
    "events": f"/jobs/{JOB}/events",
    "not found": "/nope",
}
AXE_FILE = os.environ.get("AXE_FILE")
TOKEN = "a-token-of-a-test-that-is-long"
FOCUSED = "document.activeElement.textContent.trim().slice(0, 40)"
RUN_AXE = """
axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}).then(found =>
  found.violations.map(one => one.id + ": " + one.nodes.map(node => node.html.slice(0, 120)).join(" | ")))"""
COLOURS = "[document.body, document.querySelector('svg text')].map(one => getComputedStyle(one))"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_pages(write_home(tmp_path_factory.mktemp("home"))) as served:
        yield served


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with start_chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(autouse=True)
def plain_window(browser: Chromium) -> None:
    browser.resize(1200)
    browser.prefer("light")


def focus_next(browser: Chromium) -> str:
    browser.press("Tab")
    return str(browser.evaluate(FOCUSED))


@pytest.mark.parametrize("width", [360, 768, 970, 1200])
def test_no_page_is_wider_than_the_window(width: int, browser: Chromium, served: Served) -> None:
    browser.resize(width, is_phone=width < 900)
    wide = {}
    for name, path in PAGES.items():
        browser.open(served.url + path)
        found = browser.evaluate("document.documentElement.scrollWidth")
        if found > width:
            wide[name] = found
    assert wide == {}


def test_the_keyboard_reaches_the_content_first_by_a_link_that_is_seen_then(browser: Chromium, served: Served) -> None:
    browser.open(served.url + PAGES["job"])
    assert focus_next(browser) == "Skip to the content"
    assert browser.evaluate("getComputedStyle(document.activeElement).clipPath") == "none"
    browser.press("Enter")
    assert browser.evaluate("document.activeElement.id") == "content"


def test_the_keyboard_goes_through_a_page_in_the_order_in_which_it_is_read(browser: Chromium, served: Served) -> None:
    browser.open(served.url + PAGES["job"])
    order = [focus_next(browser) for _ in range(13)]
    assert order[1:5] == ["sparkscore", JOB, "Jobs", "Runs of all jobs"]
    assert order[5:13] == ["Runs", "Gates", "Drift", "Performance", "Rejects", "Models", "Tables", "Events"]


def test_what_has_the_focus_is_seen(browser: Chromium, served: Served) -> None:
    browser.open(served.url + PAGES["job"])
    for _ in range(20):
        browser.press("Tab")
        width = browser.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert float(str(width).removesuffix("px")) >= 2, browser.evaluate(FOCUSED)


def test_a_list_is_narrowed_without_a_mouse(browser: Chromium, served: Served) -> None:
    browser.open(served.url + f"/jobs/{JOB}?state=failed")
    browser.evaluate("document.querySelector('button').focus()")
    browser.press("Enter", loads=True)
    assert "state=failed" in str(browser.evaluate("location.search"))
    assert browser.evaluate("document.querySelectorAll('form ~ table tbody tr').length") == 1


def test_dark_colours_come_where_the_system_asks_for_them(browser: Chromium, served: Served) -> None:
    shown = {}
    for scheme in ("light", "dark"):
        browser.prefer(scheme)
        browser.open(served.url + PAGES["job"])
        shown[scheme] = browser.evaluate(f"(([page, text]) => [page.backgroundColor, text.fill])({COLOURS})")
    assert shown == {
        "light": ["rgb(255, 255, 255)", "rgb(89, 89, 89)"],
        "dark": ["rgb(22, 24, 27)", "rgb(169, 173, 179)"],
    }


def test_no_script_runs_and_nothing_is_fetched_from_elsewhere(browser: Chromium, served: Served) -> None:
    browser.requests.clear()
    for path in PAGES.values():
        browser.open(served.url + path)
        assert browser.evaluate("document.scripts.length") == 0
    asked = {
        urlsplit(address)._replace(path="", query="").geturl()
        for address in browser.requests
        if not address.startswith("data:")
    }
    assert asked == {served.url}


def test_the_address_of_the_start_leads_to_the_overview(browser: Chromium, tmp_path: Path) -> None:
    with serve_pages(tmp_path, token=TOKEN) as guarded:
        browser.open(guarded.url)
        assert browser.evaluate("document.querySelector('h1').textContent") == "Sign in"
        browser.open(guarded.url + guarded.rules.login_path)
        browser.wait_for("document.querySelector('h1')?.textContent === 'Jobs'")


def test_a_report_leads_to_the_next_one_also_where_a_token_is_asked_for(browser: Chromium, tmp_path: Path) -> None:
    write_events(tmp_path, list_run_events(make_run(0)))
    folder = tmp_path / "reports" / JOB
    folder.mkdir(parents=True)
    run_id = make_run(0).run_id
    (folder / "index.html").write_text(f'<title>all</title><a href="{run_id}.html">one</a>')
    (folder / f"{run_id}.html").write_text("<title>one run</title><script>document.title = 'a script'</script>")
    with serve_pages(tmp_path, token=TOKEN) as guarded:
        browser.open(guarded.url + guarded.rules.login_path)
        browser.wait_for("document.title.startsWith('Jobs')")
        browser.open(f"{guarded.url}/jobs/{JOB}/reports/index.html")
        browser.wait_for("document.title === 'all'")
        browser.evaluate("document.querySelector('a').click()")
        browser.wait_for("document.title === 'one run'")  # and not what its script would make of it


@pytest.mark.skipif(AXE_FILE is None, reason="AXE_FILE does not name axe.min.js: ci/integration.sh ui does")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_a_rule_of_accessibility(scheme: str, browser: Chromium, served: Served) -> None:
    rules = Path(str(AXE_FILE)).read_text()
    browser.prefer(scheme)
    found = {}
    for name, path in PAGES.items():
        browser.open(served.url + path)
        browser.evaluate(re.sub(r"\s*$", "; 0", rules))
        broken = browser.evaluate(RUN_AXE)
        if broken:
            found[name] = broken
    assert found == {}, json.dumps(found, indent=1)
