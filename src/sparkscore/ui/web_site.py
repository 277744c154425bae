"""The pages of the site by their addresses, and what is known of the jobs between two requests."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from json import JSONDecodeError
from threading import RLock

from sparkscore.errors import SparkNeeded
from sparkscore.ui.job_views import build_events_page, build_gates_page, build_job_page, build_models_page
from sparkscore.ui.overview_pages import build_all_runs, build_overview
from sparkscore.ui.quality_views import build_drift_page, build_performance_page, build_rejects_page
from sparkscore.ui.run_index import JobRuns, load_job_runs
from sparkscore.ui.run_view import build_run_page, find_run_line
from sparkscore.ui.served_jobs import JobShelf, ServedJob
from sparkscore.ui.table_reading import TableUnreadable
from sparkscore.ui.table_views import build_table_page, build_tables_page
from sparkscore.ui.web_page import PageQuery, WebPage, WrongRequest, place_in_job, render_web_page

PagePath = dict[str, str]
PageBuilder = Callable[["WebSite", PagePath, PageQuery], WebPage]


class WebSite:
    """The jobs that are served, with what is known of their runs."""

    def __init__(self, shelf: JobShelf) -> None:
        self.shelf = shelf
        self._runs: dict[str, JobRuns] = {}
        self._lock = RLock()

    def find_job(self, slug: str) -> ServedJob:
        """The job that an address names.

        Raises:  WrongRequest.
        """
        job = self.shelf.find_job(slug)
        if job is None:
            raise WrongRequest(404, "There is no job of this name here.")
        return job

    def load_runs(self, job: ServedJob) -> JobRuns:
        """The runs as the table has them now.

        Raises:  TableUnreadable.
        """
        with job.lock:
            found = load_job_runs(job, self._runs.get(job.slug))
            self._runs[job.slug] = found
            return found

    def read_ahead(self) -> None:
        """Read the runs of all jobs, so that the first visitor finds them read. What fails here fails again there."""
        with suppress(Exception, SparkNeeded):
            render_web_page(build_overview(self.shelf.homes, self.load_all()))

    def load_all(self) -> dict[ServedJob, JobRuns | TableUnreadable]:
        """The runs of all jobs, or why they cannot be read."""
        found: dict[ServedJob, JobRuns | TableUnreadable] = {}
        for job in self.shelf.list_jobs():
            try:
                found[job] = self.load_runs(job)
            except TableUnreadable as error:
                found[job] = error
        return found


def _show_overview(site: WebSite, _: PagePath, __: PageQuery) -> WebPage:
    return build_overview(site.shelf.homes, site.load_all())


def _show_all_runs(site: WebSite, _: PagePath, query: PageQuery) -> WebPage:
    found = site.load_all().values()
    page = build_all_runs([one for one in found if isinstance(one, JobRuns)], query)
    return replace(page, warnings=tuple(str(one) for one in found if isinstance(one, TableUnreadable)))


def _show_job(site: WebSite, path: PagePath, query: PageQuery) -> WebPage:
    job = site.find_job(path["job"])
    has_report = site.shelf.find_report(job, "index.html") is not None
    return _of_runs(site, path, lambda runs: build_job_page(runs, query, has_report=has_report))


def _show_run(site: WebSite, path: PagePath, _: PageQuery) -> WebPage:
    def build(runs: JobRuns) -> WebPage:
        line = find_run_line(runs, path["run"])
        if line is None:
            raise WrongRequest(404, "The job has no run of this name.")
        has_report = site.shelf.find_report(runs.job, f"{line.run_id}.html") is not None
        return build_run_page(runs, line, has_report=has_report)

    return _of_runs(site, path, build)


def _show_tables(site: WebSite, path: PagePath, _: PageQuery) -> WebPage:
    job = site.find_job(path["job"])
    with job.lock:
        return build_tables_page(job)


def _show_table(site: WebSite, path: PagePath, _: PageQuery) -> WebPage:
    job = site.find_job(path["job"])
    with job.lock:
        return build_table_page(job, path["table"])


def _of_runs(site: WebSite, path: PagePath, build: Callable[[JobRuns], WebPage]) -> WebPage:
    """A page of a job; where its tables cannot be read, one with its tabs that says so."""
    job = site.find_job(path["job"])
    with job.lock:
        try:
            return build(site.load_runs(job))
        except TableUnreadable as error:
            said = str(error)
        except JSONDecodeError:
            said = f"Details of events in {job.runs.name} are no JSON: the table may be damaged."
        return place_in_job(WebPage(job.name, warnings=(said,), status=503), job, "none")


SITE_PAGES: Mapping[str, PageBuilder] = {
    "/": _show_overview,
    "/runs": _show_all_runs,
    "/jobs/{job}": _show_job,
    "/jobs/{job}/runs/{run}": _show_run,
    "/jobs/{job}/gates": lambda site, path, _: _of_runs(site, path, build_gates_page),
    "/jobs/{job}/drift": lambda site, path, _: _of_runs(site, path, build_drift_page),
    "/jobs/{job}/performance": lambda site, path, _: _of_runs(site, path, build_performance_page),
    "/jobs/{job}/rejects": lambda site, path, query: _of_runs(site, path, lambda runs: build_rejects_page(runs, query)),
    "/jobs/{job}/models": lambda site, path, _: _of_runs(site, path, build_models_page),
    "/jobs/{job}/tables": _show_tables,
    "/jobs/{job}/tables/{table}": _show_table,
    "/jobs/{job}/events": lambda site, path, query: _of_runs(site, path, lambda runs: build_events_page(runs, query)),
}
"""What makes the page of an address."""
