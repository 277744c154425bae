"""The trend over runs."""

from dataclasses import replace
from datetime import timedelta

from sparkscore.monitor.report.history import summarise_runs
from sparkscore.monitor.report.page import job_page
from tests.monitor.report.pages import AS_OF, event, tags, words

HISTORY = (event(2), event(1, "failed", rows_scored=None, message="gate\n  do: look", exit_code=3), event(0))


def test_the_top_counts_runs_and_lost_attempts() -> None:
    said = words(job_page("flight-delay", HISTORY))
    for part in ("3 runs from 2013-12-07 to 2013-12-09.", "Runs published 2 of 3 as_of", "Attempts lost ✕ 1"):
        assert part in said


def test_each_measure_has_its_trend() -> None:
    said = words(job_page("flight-delay", HISTORY))
    for part in ("Rows published", "Rows rejected", "Duration, seconds", "Rows per second", "Columns that drifted"):
        assert part in said
    assert "421 rows/s in the last run; the median of 2 runs is 421 rows/s." in said


def test_runs_are_a_table_with_links_to_their_pages() -> None:
    html = job_page("flight-delay", HISTORY)
    assert [facts["href"] for tag, facts in tags(html) if tag == "a"] == ["00ab.html", "01ab.html", "02ab.html"]
    assert "✓ published 2013-12-09 842 9 3.6 s 421 1" in words(html)


def test_a_lost_attempt_tells_why_in_one_line() -> None:
    said = words(job_page("flight-delay", HISTORY))
    assert "✕ failed 2013-12-08 1.1 2013-12-08 00:00 gate" in said
    assert "do: look" not in said


def test_several_events_of_an_attempt_are_one_run() -> None:
    later = replace(event(0, "monitored", told={"drifted": 7}), at=AS_OF + timedelta(hours=1))
    (told,) = summarise_runs((later, event(0)))
    assert told.is_published
    assert told.drifted == 7
    assert told.scored == 842


def test_the_newest_revision_speaks_for_an_as_of() -> None:
    (told,) = summarise_runs((replace(event(0, rows_scored=5), revision=2), event(0)))
    assert told.scored == 5


def test_a_name_that_is_no_digest_is_never_a_link() -> None:
    html = job_page("flight-delay", (event(0, run_id="javascript:alert(1)//"),))
    assert not [tag for tag, _ in tags(html) if tag == "a"]


def test_a_job_is_text_whatever_its_name() -> None:
    html = job_page("<script>", HISTORY)
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "")


def test_a_job_without_runs_has_a_page() -> None:
    assert "No runs yet." in words(job_page("flight-delay", ()))


def test_one_run_has_no_median() -> None:
    assert "421 rows/s in one run." in words(job_page("flight-delay", (event(0),)))


def test_runs_within_hours_have_hours_at_their_axis() -> None:
    near = [replace(event(0), as_of=AS_OF + timedelta(hours=at), run_id=f"{at}") for at in range(3)]
    assert "Dec 9, 02:00" in words(job_page("flight-delay", near))
