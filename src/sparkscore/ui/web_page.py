"""One page: its parts, and the HTML that one template makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from sparkscore.monitor.report.page import create_page_environment
from sparkscore.monitor.report.page_parts import Fact, Section
from sparkscore.ui.served_jobs import ServedJob

if TYPE_CHECKING:
    from jinja2 import Environment

PAGE_LENGTH = 50
"""Rows of a list that one page shows."""
TABS = (
    *(("", "Runs"), ("gates", "Gates"), ("drift", "Drift"), ("performance", "Performance"), ("rejects", "Rejects")),
    *(("models", "Models"), ("tables", "Tables"), ("events", "Events")),
)
"""The pages of a job: last part of the address, and name."""


class WrongRequest(Exception):
    """A request that no page answers: its status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


@dataclass(frozen=True, slots=True)
class PageLink:
    """A link to another page."""

    text: str
    address: str
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of the form that narrows a list; with options a choice, else a date."""

    name: str
    label: str
    value: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A text as it is, folded away."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class WebPage:
    """What a page shows."""

    title: str
    sentence: str = ""
    kind: str = ""
    state: str = ""
    mark: Literal["", "good", "bad"] = ""
    facts: tuple[Fact, ...] = ()
    error: tuple[str, ...] = ()
    """Class of the error, its message, whether a retry can help."""
    warnings: tuple[str, ...] = ()
    links: tuple[PageLink, ...] = ()
    """Below the head."""
    sections: tuple[Section, ...] = ()
    fields: tuple[FormField, ...] = ()
    list_section: Section | None = None
    """The list that the form narrows and the pager turns; comes after the sections."""
    pager: tuple[PageLink, ...] = ()
    blocks: tuple[TextBlock, ...] = ()
    small: str = ""
    path: tuple[PageLink, ...] = ()
    """The pages above."""
    tabs: tuple[PageLink, ...] = ()
    refresh_to: str = ""
    status: int = 200


@dataclass(frozen=True, slots=True)
class PageQuery:
    """What the address of a list asks for."""

    values: Mapping[str, str] = field(default_factory=dict)

    def find_text(self, name: str) -> str:
        """A value; empty where it is not given.

        Raises:  WrongRequest for one that is too long.
        """
        value = self.values.get(name, "").strip()
        if len(value) > 300:
            raise WrongRequest(400, f"The value of {name} is too long.")
        return value

    def find_choice(self, name: str, options: Sequence[str]) -> str:
        """One of the options; empty for none.

        Raises:  WrongRequest.
        """
        value = self.find_text(name)
        if value and value not in options:
            raise WrongRequest(400, f"{name} is one of {', '.join(options) or 'none'}.")
        return value

    @property
    def page(self) -> int:
        """The page of the list, from 1 on.

        Raises:  WrongRequest.
        """
        text = self.find_text("page") or "1"
        if not (text.isascii() and text.isdigit() and 0 < int(text[:7]) <= 1_000_000 and len(text) < 8):
            raise WrongRequest(400, "page is a whole number from 1 on.")
        return int(text)

    def select_rows(self, total: int) -> slice:
        """The rows of the page."""
        first = (self.page - 1) * PAGE_LENGTH
        return slice(min(first, total), min(first + PAGE_LENGTH, total))

    def list_pages(self, total: int) -> tuple[PageLink, ...]:
        """Links to the pages around; none where there is one page only."""
        last = max(-(-total // PAGE_LENGTH), 1)
        if last == 1 and self.page == 1:
            return ()
        wanted = [("First", 1), ("Newer", self.page - 1), ("Older", self.page + 1), ("Last", last)]
        links = [
            PageLink(text, self._address(at))
            for text, at in wanted
            if 1 <= at <= last and at != self.page and not (text == "First" and self.page == 2)
        ]
        here = PageLink(f"Page {self.page:,} of {last:,}", "", is_current=True)
        return (here, *links)

    def _address(self, page: int) -> str:
        kept = {name: value for name, value in self.values.items() if value and name != "page"}
        return "?" + urlencode({**kept, "page": page})


def place_in_job(page: WebPage, job: ServedJob, tab: str, *above: PageLink) -> WebPage:
    """The page with the way to it, and the tabs of its job."""
    tabs = tuple(PageLink(text, f"{job.address}/{name}".rstrip("/"), name == tab) for name, text in TABS)
    kind = page.kind or ("Job" if page.title == job.name else job.name)
    return replace(page, kind=kind, tabs=tabs, path=(PageLink(job.name, job.address), *above))


def render_web_page(page: WebPage) -> str:
    """The page as HTML, without scripts; all that it fetches is the style sheet beside it."""
    return _load_environment().get_template("web_page.html.jinja").render(page=page)


@cache
def _load_environment() -> "Environment":
    return create_page_environment("sparkscore.ui")
