"""The reports, as HTML text."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from sparkscore.monitor.report.cost import cost_section
from sparkscore.monitor.report.drift import drift_section
from sparkscore.monitor.report.job import job_head, runs_section, throughput_section, trends_section
from sparkscore.monitor.report.page_parts import PageHead, Section
from sparkscore.monitor.report.performance import performance_section
from sparkscore.monitor.report.predictions import predictions_section
from sparkscore.monitor.report.run_overview import run_head, source_section
from sparkscore.monitor.report.verdict_sections import rejects_section, verdicts_section
from sparkscore.monitor.visible import visible_text
from sparkscore.records import PerformanceRow, RunEvent, RunPage
from sparkscore.redaction.secret_patterns import mask_secrets

if TYPE_CHECKING:
    from jinja2 import Environment, Template


def run_page(page: RunPage) -> str:
    """The report of one run: a complete HTML document without scripts, which fetches nothing.

    Jobs:    none.
    Runs on: driver.
    """
    sections = (
        source_section,
        verdicts_section,
        predictions_section,
        drift_section,
        throughput_section,
        rejects_section,
        cost_section,
    )
    return render_page(run_head(page), [section(page) for section in sections])


def job_page(job: str, history: Sequence[RunEvent], performance: Sequence[PerformanceRow] | None = None) -> str:
    """The report of a job, the trend over its runs, with a link to the report of each run, `<run_id>.html`.

    `performance`: how good its predictions were; None where the config names no truth.

    Needs:   events of any kind and in any order; several of one attempt count as one.
    Jobs:    none.
    Runs on: driver.
    """
    realised = [] if performance is None else [performance_section(performance)]
    return render_page(job_head(job, history), [*realised, trends_section(history), runs_section(history)])


def render_page(top: PageHead, sections: Sequence[Section]) -> str:
    """A page of these parts: a complete HTML document."""
    return _load_page_template().render(head=top, sections=sections)


@cache
def _load_page_template() -> "Template":
    return create_page_environment().get_template("page.html.jinja")


def create_page_environment(*packages: str) -> "Environment":
    """Templates that escape every value and show no secret: those of these packages' folders, and the reports'."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    folders = [PackageLoader(package, ".") for package in (*packages, "sparkscore.monitor.report")]
    return Environment(
        loader=ChoiceLoader(folders),
        autoescape=True,
        finalize=_make_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _make_visible(value: Any) -> Any:
    """Texts without secrets and marks that change the direction of text; our own markup, pictures, stays as it is."""
    return visible_text(mask_secrets(value)) if type(value) is str else value
