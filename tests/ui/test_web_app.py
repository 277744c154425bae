"""What the web page answers: over HTTP, from tables that the suite's own writers have written."""

import html
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from sparkscore.errors import ConfigError
from sparkscore.monitor.report.page_parts import Cell, PageTable, Section
from sparkscore.records import Drift
from sparkscore.redaction.known_secrets import register_secret
from sparkscore.schemas import REJECTS_CONTRACT, RUNS_CONTRACT
from sparkscore.settings import Settings
from sparkscore.store.monitoring_tables import keep_drifts
from sparkscore.store.performance_table import load_performance, replace_performance
from sparkscore.store.table import Table
from sparkscore.store.table_growth import JOB_PROPERTY
from sparkscore.ui.overview_pages import build_overview
from sparkscore.ui.served_jobs import JobShelf
from sparkscore.ui.web_page import WebPage, render_web_page
from sparkscore.ui.web_site import WebSite
from tests.ui.homes import (
    FIRST,
    HOSTILE,
    HOSTILE_JOB,
    JOB,
    SENSITIVE,
    list_failed_events,
    list_run_events,
    make_run,
    open_table,
    write_events,
    write_home,
)
from tests.ui.served_pages import Served, serve_pages

TOKEN = "a-token-of-a-test-that-is-long"
TABS = ("", "/gates", "/drift", "/performance", "/rejects", "/models", "/tables", "/events")
RUN = f"/jobs/{JOB}/runs/2013-12-03T00:00:00Z@1"
PAGES = ["/", "/runs", *(f"/jobs/{JOB}{tab}" for tab in TABS), RUN, f"/jobs/{JOB}/tables/predictions"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def served(home: Path) -> Iterator[Served]:
    with serve_pages(home) as served:
        yield served


def change_events(table: Table, **values: object) -> None:
    """Put these values into all rows of a table of run events, as no writer of the suite would."""
    rows = [{**row, **values} for row in DeltaTable(str(table.path)).to_pyarrow_table().to_pylist()]
    fields = [field.with_nullable(nullable=True) for field in RUNS_CONTRACT.schema]
    changed = pa.Table.from_pylist(rows, schema=pa.schema(fields))
    properties = {JOB_PROPERTY: JOB}
    write_deltalake(str(table.path), changed, mode="overwrite", schema_mode="overwrite", configuration=properties)


class Elements(HTMLParser):
    """The elements of a page, and the names of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def words(page: str) -> str:
    """What a page says, on one line."""
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", page)).split())


def slug_of_hostile_job(served: Served) -> str:
    found = re.search(r'"/jobs/(other-[0-9a-f]+)"', served.get("/").text)
    assert found
    return found[1]


class TestPages:
    def test_the_overview_shows_the_last_run_of_each_job(self, served: Served) -> None:
        text = words(served.get("/").text)
        assert "2 jobs under" in text
        assert f"✕ failed {JOB} 2013-12-11" in text
        assert "x1, PSI 0.45" in text
        assert "2013-12-12, guessed from the last steps" in text

    def test_a_job_lists_its_runs_the_newest_first_and_the_one_that_was_replaced(self, served: Served) -> None:
        text = words(served.get(f"/jobs/{JOB}").text)
        days = re.findall(r"(published|replaced|failed)\b[^–]*?(2013-12-\d\d)", text.partition("Ended")[2])
        assert days[:2] == [("failed", "2013-12-11"), ("published", "2013-12-10")]
        assert ("replaced", "2013-12-03") in days
        assert "2013-12-03 (revision 2)" in text

    def test_a_job_draws_its_trend_on_the_server(self, served: Served) -> None:
        page = served.get(f"/jobs/{JOB}").text
        assert page.count("<svg") >= 4
        assert "Rows published" in page

    def test_a_run_shows_pins_parts_verdicts_drift_rejects_and_model(self, served: Served) -> None:
        text = words(served.get(RUN).text)
        for part in ("source-id", "version 9", "score and stage 4.0 s", "id is never null", "null_prediction", "late"):
            assert part in text
        assert "Published, replaced by a later revision" in text

    def test_a_run_that_failed_says_why_and_whether_a_retry_helps(self, served: Served) -> None:
        text = words(served.get(f"/jobs/{JOB}/runs/2013-12-11T00:00:00Z@1").text)
        assert "ModelNotFound" in text
        assert "A retry will not help until the cause is removed." in text
        assert "ended before it had pinned" in text

    def test_a_run_is_found_by_the_beginning_of_its_run_id(self, served: Served) -> None:
        assert "Run of 2013-12-05" in served.get(f"/jobs/{JOB}/runs/{make_run(4).run_id[:8]}").text

    def test_gates_count_how_often_each_rule_failed(self, served: Served) -> None:
        text = words(served.get(f"/jobs/{JOB}/gates").text)
        assert "Output gate, suite flights" in text
        assert re.search(r"passed id is never null 0 11 ", text)
        assert " 11 11 3 of 100" in text

    def test_models_show_since_when_each_version_scores_and_how_good_it_was(self, served: Served) -> None:
        text = words(served.get(f"/jobs/{JOB}/models").text)
        assert "late 1 2013-12-01 2013-12-06 7 " in text
        assert "late 2 2013-12-07 2013-12-10 4 " in text
        assert "ROC AUC 0.79" in text

    def test_a_version_of_another_model_does_not_lend_its_performance(self, home: Path, tmp_path: Path) -> None:
        shutil.copytree(home, tmp_path / "home")
        named = [
            replace(one, model_name="another") for one in load_performance(open_table(home, "_performance"), job=JOB)
        ]
        shutil.rmtree(tmp_path / "home/tables/predictions_performance")
        replace_performance(open_table(tmp_path / "home", "_performance"), named, job=JOB, guard_name=JOB, after=-1)
        with serve_pages(tmp_path / "home") as served:
            text = words(served.get(f"/jobs/{JOB}/models").text)
        assert "late 2" in text
        assert "ROC AUC" not in text

    def test_drift_names_the_furthest_column_of_each_run(self, served: Served) -> None:
        assert "drifted 2013-12-10 x1 0.45 1 of 2" in words(served.get(f"/jobs/{JOB}/drift").text)

    def test_a_column_that_drifted_from_two_references_is_one_column(self, tmp_path: Path) -> None:
        write_events(tmp_path, list_run_events(make_run(0)))
        one = Drift("x1", "input", "CONSECUTIVE", "the run before", 100, 100, psi=0.4, drifted=True)
        others = (
            replace(one, drift_type="BASELINE", against="training data"),
            replace(one, column="x2", drifted=False),
        )
        keep_drifts(open_table(tmp_path, "_drift"), make_run(0), [one, *others])
        with serve_pages(tmp_path) as served:
            assert " 1 of 2 " in words(served.get(f"/jobs/{JOB}/drift").text)

    def test_performance_shows_broken_limits(self, served: Served) -> None:
        assert "roc_auc below 0.72" in words(served.get(f"/jobs/{JOB}/performance").text)

    def test_rejects_are_counted_by_code_and_values_of_sensitive_keys_are_not_shown(self, served: Served) -> None:
        page = served.get(f"/jobs/{JOB}/rejects").text
        assert "predict_failed 5 5" in words(page)
        assert "card=***" in page
        assert SENSITIVE not in page

    def test_rejects_of_one_code_are_listed_alone(self, served: Served) -> None:
        text = words(served.get(f"/jobs/{JOB}/rejects?code=null_prediction").text)
        assert "2 rows." in text

    def test_many_rejects_have_pages_and_are_counted_over_all_of_them(self, home: Path, tmp_path: Path) -> None:
        write_events(tmp_path, list_run_events(make_run(0), rejected=60))
        rows = DeltaTable(str(open_table(home, "_rejects").path)).to_pyarrow_table().slice(0, 1).to_pylist()
        lineage = make_run(0).lineage_values(scored_at=FIRST)
        many = [{**rows[0], **lineage, "key": f'{{"id": {number}}}'} for number in range(60)]
        table = open_table(tmp_path, "_rejects")
        write_deltalake(str(table.path), pa.Table.from_pylist(many, schema=REJECTS_CONTRACT.schema))
        with serve_pages(tmp_path) as served:
            first, last = (words(served.get(f"/jobs/{JOB}/rejects?page={page}").text) for page in (1, 2))
        assert (first.count(" id="), last.count(" id=")) == (50, 10)
        assert "60 rows." in first
        assert f"{rows[0]['code']} 60 1 2013-12-01" in last

    def test_tables_show_columns_versions_and_sizes(self, served: Served) -> None:
        assert "readable predictions 0 30 10" in words(served.get(f"/jobs/{JOB}/tables").text)
        table = words(served.get(f"/jobs/{JOB}/tables/runs").text)
        assert "scoring_digest" in table
        assert "sha256 over the settings" in table
        assert "sparkscore.job" in table
        assert "as_of timestamp no" in table
        assert "revision bigint no" in table

    def test_events_are_shown_as_they_are(self, served: Served) -> None:
        page = served.get(f"/jobs/{JOB}/events?event=failed").text
        assert "1 event." in page
        assert "Details: failed, 2013-12-11" in page

    def test_runs_of_all_jobs_are_narrowed_by_job_state_and_day(self, served: Served) -> None:
        assert "13 runs." in words(served.get("/runs").text)
        found = served.get(f"/runs?job={JOB}&state=published&from=2013-12-04&to=2013-12-06").text
        assert "3 runs." in found
        assert re.findall(r"@1\">(2013-12-\d\d)", found) == ["2013-12-06", "2013-12-05", "2013-12-04"]

    @pytest.mark.parametrize(
        "query",
        ["page=0", "page=x", "page=99999999", "state=lost", "from=yesterday", "to=9999-99-99", "job=" + "x" * 400],
    )
    def test_what_a_list_does_not_understand_it_says(self, served: Served, query: str) -> None:
        answer = served.get(f"/runs?{query}")
        assert answer.status == 400
        assert "Not understood" in answer.text

    def test_what_was_committed_since_is_there(self, tmp_path: Path) -> None:
        write_events(tmp_path, list_failed_events(make_run(0)))
        with serve_pages(tmp_path) as served:
            assert "1 run." in served.get("/runs").text
            write_events(tmp_path, list_run_events(make_run(1)))
            assert "2 runs." in served.get("/runs").text

    def test_a_long_list_has_pages(self, tmp_path: Path) -> None:
        write_events(tmp_path, [event for day in range(120) for event in list_run_events(make_run(day))])
        with serve_pages(tmp_path) as served:
            first, last = (served.get(f"/jobs/{JOB}?page={page}&state=published").text for page in (1, 3))
        assert "Page 1 of 3" in first
        assert "?state=published&amp;page=2" in first
        assert len(re.findall('@1">', first)) == 50
        assert len(re.findall('@1">', last)) == 20


@pytest.mark.parametrize(
    ("days", "expected"), [(1, "–"), (2, "2013-12-03, guessed"), (3, "2013-12-04"), (15, "2013-12-16")]
)
def test_the_next_run_is_guessed_from_as_many_as_there_are(days: int, expected: str, tmp_path: Path) -> None:
    write_events(tmp_path, [event for day in range(days) for event in list_run_events(make_run(day))])
    with serve_pages(tmp_path) as served:
        text = words(served.get("/").text)
    assert (
        text.partition("Next expected")[2]
        .partition("sparkscore.")[0]
        .strip()
        .partition(" kept ")[2]
        .startswith(expected)
    )


class TestEmptyAndDamaged:
    def test_a_home_without_a_run_says_what_writes_the_first(self, tmp_path: Path) -> None:
        with serve_pages(tmp_path) as served:
            assert "No job has run under" in served.get("/").text

    @pytest.mark.parametrize("tab", TABS)
    def test_a_job_without_anything_beside_its_events_has_pages_that_say_so(self, tab: str, served: Served) -> None:
        answer = served.get(f"/jobs/{slug_of_hostile_job(served)}{tab}")
        assert answer.status == 200
        assert len(words(answer.text)) > 150

    def test_a_home_that_is_not_there_is_an_error_of_the_config(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="there is no home folder"):
            JobShelf([str(tmp_path / "nowhere")])

    def test_a_table_of_a_catalog_is_said_to_need_spark(self, tmp_path: Path) -> None:
        settings = Settings(
            job="of-a-catalog",
            home=str(tmp_path),
            source={"table": "lake.flights", "keys": ["id"]},
            model={"uri": "models:/late@champion"},
            output={"table": "lake.predictions"},
        )
        with serve_pages(configs=(settings,)) as served:
            answer = served.get("/jobs/of-a-catalog")
            assert "of-a-catalog" in served.get("/").text
        assert answer.status == 503
        assert "Spark alone reaches it" in answer.text

    def test_events_whose_log_is_damaged_do_not_hide_other_jobs(self, home: Path, tmp_path: Path) -> None:
        shutil.copytree(home, tmp_path / "home")
        for file in (tmp_path / "home/tables/predictions_runs/_delta_log").iterdir():
            file.write_text("{")
        with serve_pages(tmp_path / "home") as served:
            overview, runs, job = (served.get(path) for path in ("/", "/runs", "/jobs/predictions"))
        assert overview.status == 200
        assert html.escape(HOSTILE_JOB) in overview.text
        assert "cannot be read" in overview.text
        assert "predictions_runs" in runs.text
        assert "1 run." in runs.text
        assert job.status == 503
        assert "Traceback" not in job.text

    def test_files_that_are_gone_are_named_as_vacuumed(self, home: Path, tmp_path: Path) -> None:
        shutil.copytree(home, tmp_path / "home")
        for file in (tmp_path / "home/tables").glob("predictions_[rdp]*/**/*.parquet"):
            if "predictions_runs" not in str(file):
                file.unlink()
        with serve_pages(tmp_path / "home") as served:
            run = served.get(f"/jobs/{JOB}/runs/2013-12-05T00:00:00Z@1")
            drift, rejects = served.get(f"/jobs/{JOB}/drift"), served.get(f"/jobs/{JOB}/rejects")
        assert run.status == 200
        assert "Files of predictions_drift are gone" in run.text
        assert (drift.status, rejects.status) == (503, 503)
        assert "Files of predictions_rejects are gone: vacuumed" in rejects.text

    @pytest.mark.parametrize("details", ["{not json", '["a list"]', "17"])
    def test_details_that_are_no_object_are_shown_as_they_are_and_hide_nothing_else(
        self, details: str, tmp_path: Path
    ) -> None:
        change_events(write_events(tmp_path, list_run_events(make_run(0))), details=details)
        write_events(tmp_path, list_run_events(make_run(1, job="fine")), job="fine", name="fine")
        paths = ("/", "/runs", *(f"/jobs/{JOB}{tab}" for tab in TABS), f"/jobs/{JOB}/runs/2013-12-01T00:00:00Z@1")
        with serve_pages(tmp_path) as served:
            answers = {path: served.get(path) for path in paths}
        assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(paths, 200)
        assert "2013-12-02" in answers["/"].text
        assert "2 runs." in answers["/runs"].text
        for path in (f"/jobs/{JOB}/events", paths[-1]):
            assert details.strip("[]") in html.unescape(answers[path].text)
        assert "are no JSON object" in answers[paths[-1]].text

    def test_events_that_lack_what_each_has_are_named_as_damaged_and_hide_no_other_job(self, tmp_path: Path) -> None:
        change_events(write_events(tmp_path, list_run_events(make_run(0))), revision=None)
        write_events(tmp_path, list_run_events(make_run(1, job="fine")), job="fine", name="fine")
        with serve_pages(tmp_path) as served:
            overview = served.get("/")
        assert overview.status == 200
        assert "Rows of predictions_runs have no revision: the table is damaged." in overview.text
        assert "2013-12-02" in overview.text

    def test_a_table_of_somebody_else_whose_name_ends_like_that_is_no_job(self, tmp_path: Path) -> None:
        write_deltalake(str(tmp_path / "tables" / "training_runs"), pa.table({"step": [1]}))
        with serve_pages(tmp_path) as served:
            assert "No job has run under" in served.get("/").text

    def test_a_job_that_comes_while_the_overview_is_made_is_on_the_next_one(self, home: Path) -> None:
        shelf = JobShelf([str(home)])
        site = WebSite(shelf)
        found = site.load_all()
        known = build_overview(shelf.homes, dict(list(found.items())[:1]))
        assert known.sentence.startswith("1 job under")


def test_a_cell_of_blanks_is_a_cell() -> None:
    table = PageTable("", ("Name",), ((Cell(" " * 40),), (Cell(""),), (Cell("x" * 40),)))
    page = render_web_page(WebPage("Cells", sections=(Section("Some", tables=(table,)),)))
    assert page.count("<td") == 3


class TestHostile:
    @pytest.mark.parametrize("path", PAGES)
    def test_markup_in_names_messages_and_keys_is_text(self, served: Served, path: str) -> None:
        found = Elements(served.get(path).text)
        assert not found.tags & {"script", "img", "iframe", "object", "embed"}
        assert not [name for name in found.attributes if name.startswith("on") or name == "style"]

    def test_the_markup_is_there_as_text(self, served: Served) -> None:
        assert HOSTILE in html.unescape(served.get(f"/jobs/{JOB}/rejects").text)
        assert html.escape(HOSTILE_JOB) in served.get("/").text

    @pytest.mark.parametrize(
        "path",
        [
            f"/jobs/{JOB}/runs/..%2f..%2fetc%2fpasswd",
            f"/jobs/{JOB}/runs/%00",
            f"/jobs/{JOB}/tables/..%2f..",
            f"/jobs/{JOB}/tables/flights",
            f"/jobs/{JOB}/reports/..%2f..%2ftables%2fx.html",
            f"/jobs/{JOB}/reports/{'0' * 64}.html",
            "/jobs/..%2f..%2fetc/events",
            "/jobs/%3Cscript%3E",
            "/static/..%2fweb_app.py",
            "/static/web_app.py",
            "/../../etc/passwd",
        ],
    )
    def test_nothing_leads_out_of_what_is_served(self, served: Served, path: str) -> None:
        answer = served.get(path)
        assert answer.status == 404
        assert "Not found" in answer.text

    def test_a_report_is_served_without_scripts_whoever_wrote_it(self, home: Path, served: Served) -> None:
        folder = home / "reports" / JOB
        folder.mkdir(parents=True)
        file = folder / f"{make_run(4).run_id}.html"
        file.write_text("<script>alert(1)</script> a report")
        answer = served.get(f"/jobs/{JOB}/reports/{file.name}")
        assert "a report" in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "script-src" not in answer.headers["content-security-policy"]
        assert f"/reports/{file.name}" in served.get(f"/jobs/{JOB}/runs/2013-12-05T00:00:00Z@1").text

    def test_a_report_that_is_a_link_is_not_followed(self, tmp_path: Path) -> None:
        write_events(tmp_path, list_run_events(make_run(0)))
        folder = tmp_path / "reports" / JOB
        folder.mkdir(parents=True)
        (tmp_path / "elsewhere").write_text("not for visitors")
        (folder / "index.html").symlink_to(tmp_path / "elsewhere")
        with serve_pages(tmp_path) as served:
            assert served.get(f"/jobs/{JOB}/reports/index.html").status == 404

    def test_a_secret_is_masked_also_where_it_became_known_later(self, tmp_path: Path) -> None:
        events = [replace(one, source_table="CanaryOfTheWebPage") for one in list_run_events(make_run(0))]
        write_events(tmp_path, events)
        register_secret("CanaryOfTheWebPage")
        with serve_pages(tmp_path) as served:
            page = served.get(f"/jobs/{JOB}/runs/2013-12-01T00:00:00Z@1").text
        assert "***" in page
        assert "CanaryOfTheWebPage" not in page

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
    def test_only_get_and_head_are_answered(self, served: Served, method: str) -> None:
        answer = served.get("/", method=method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")

    def test_head_is_a_get_without_its_text(self, served: Served) -> None:
        answer = served.get("/", method="HEAD")
        assert (answer.status, answer.text) == (200, "")

    @pytest.mark.parametrize("path", ["/", "/nope", "/static/web_page.css", f"/jobs/{JOB}"])
    def test_every_answer_has_the_headers_of_a_careful_page(self, served: Served, path: str) -> None:
        headers = served.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"

    def test_a_page_asks_for_nothing_but_its_style_and_icon(self, served: Served) -> None:
        for path in PAGES:
            page = served.get(path).text
            assert set(re.findall(r'(?:src|href)="([^"/#?][^"]*|//[^"]*)"', page)) == set()
            assert " style=" not in page

    def test_a_name_that_was_made_to_lead_here_is_refused(self, served: Served) -> None:
        assert served.get("/", Host="evil.example:8470").status == 421
        assert served.get("/static/web_page.css", Host="evil.example").status == 421


class TestToken:
    @pytest.fixture
    def guarded(self, home: Path) -> Iterator[Served]:
        with serve_pages(home, token=TOKEN) as served:
            yield served

    def test_without_the_token_no_page_is_shown(self, guarded: Served) -> None:
        for path in ("/", f"/jobs/{JOB}", "/nope", f"/jobs/{JOB}/reports/index.html"):
            answer = guarded.get(path)
            assert answer.status == 401
            assert JOB not in answer.text

    def test_the_address_of_the_start_signs_a_browser_in(self, guarded: Served) -> None:
        answer = guarded.get(guarded.rules.login_path)
        assert answer.status == 200
        assert TOKEN not in answer.text
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in cookie.split(";")}
        assert guarded.get("/", Cookie=cookie.partition(";")[0]).status == 200

    @pytest.mark.parametrize("token", ["base64/of+32/bytes==", "a token with % and ?#", "ein-schlüssel-von-uns"])
    def test_a_token_of_any_signs_signs_in(self, home: Path, token: str) -> None:
        with serve_pages(home, token=token) as served:
            answer = served.get(served.rules.login_path)
            assert answer.status == 200
            assert served.get("/", Cookie=answer.headers["set-cookie"].partition(";")[0]).status == 200

    def test_another_token_signs_nobody_in(self, guarded: Served) -> None:
        answer = guarded.get("/login/another-token-of-a-test")
        assert answer.status == 403
        assert "set-cookie" not in answer.headers

    def test_a_script_sends_the_token_with_each_request(self, guarded: Served) -> None:
        assert guarded.get("/", Authorization=f"Bearer {TOKEN}").status == 200


def test_a_job_with_a_config_is_late_by_its_sla(home: Path) -> None:
    settings = Settings(
        job=JOB,
        home=str(home),
        source={"table": "flights", "keys": ["id"]},
        model={"uri": "models:/late@champion"},
        output={"table": "predictions"},
        sla={"every_hours": 24},
    )
    with serve_pages(home, configs=(settings,)) as served:
        text = words(served.get("/").text)
    assert "late: " in text
    assert f"runs since {(FIRST.replace(day=11)):%Y-%m-%d}" in text


def test_a_folder_that_is_no_table_is_no_job(home: Path, tmp_path: Path) -> None:
    (tmp_path / "tables" / "notes_runs").mkdir(parents=True)
    (tmp_path / "tables" / "a b_runs" / "_delta_log").mkdir(parents=True)
    assert JobShelf([str(tmp_path)]).list_jobs() == []
    assert open_table(home).exists()
