"""The as_ofs of a range."""

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest

from sparkscore.errors import ConfigError
from sparkscore.records import AsOfInterval, list_as_ofs


def texts(first: str, last: str, every: str) -> list[str]:
    return [as_of.strftime("%Y-%m-%dT%H:%M") for as_of in list_as_ofs(first, last, every)]


@pytest.mark.parametrize(
    ("word", "iso"),
    [("15min", "PT15M"), ("1h", "PT1H"), ("1d", "P1D"), ("2w", "P2W"), ("1mo", "P1M"), ("12mo", "P1Y"), ("24h", "P1D")],
)
def test_words_and_iso_durations_mean_the_same(word: str, iso: str) -> None:
    assert AsOfInterval.from_text(word) == AsOfInterval.from_text(iso)


@pytest.mark.parametrize(
    "text", ["", "d", "1", "0d", "P0D", "-1d", "1.5d", "P", "PT", "1 d", "1s", "P1DT", "1d1h", "9" * 30 + "d", "daily"]
)
def test_what_is_no_interval_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--every"):
        AsOfInterval.from_text(text)


def test_both_ends_are_as_ofs() -> None:
    assert len(list_as_ofs("2013-01-01", "2013-01-31", "1d")) == 31
    assert texts("2013-01-01", "2013-01-01", "1d") == ["2013-01-01T00:00"]


def test_the_end_is_one_only_where_the_steps_meet_it() -> None:
    assert texts("2013-01-01", "2013-01-02", "PT16H") == ["2013-01-01T00:00", "2013-01-01T16:00"]


def test_months_are_counted_from_the_first_as_of_and_end_with_their_last_day() -> None:
    found = texts("2012-01-31", "2012-05-31", "1mo")
    assert [one[:10] for one in found] == ["2012-01-31", "2012-02-29", "2012-03-31", "2012-04-30", "2012-05-31"]


def test_hours_are_those_of_utc_also_where_clocks_are_changed() -> None:
    found = list_as_ofs("2013-03-31T00:00+01:00", "2013-03-31T05:00+02:00", "1h")
    assert [later - earlier for earlier, later in itertools.pairwise(found)] == [timedelta(hours=1)] * 4
    assert found[0] == datetime(2013, 3, 30, 23, tzinfo=UTC)


def test_dates_are_midnights() -> None:
    assert list_as_ofs(date(2013, 1, 1), date(2013, 1, 2), "1d")[-1] == datetime(2013, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "last", "every", "what"),
    [
        ("2013-01-02", "2013-01-01", "1d", "ends before"),
        ("2000-01-01", "2013-01-01", "15min", "more than 10,000"),
        ("2013-01-01", "tomorrow", "1d", "no date"),
        ("1500-01-01", "2013-01-01", "1d", "cannot hold"),
    ],
)
def test_a_range_that_cannot_be_meant_is_refused(first: str, last: str, every: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        list_as_ofs(first, last, every)


def test_an_interval_beyond_all_calendars_leaves_the_first_one() -> None:
    assert texts("2013-01-01", "2014-01-01", "P9999Y") == ["2013-01-01T00:00"]
