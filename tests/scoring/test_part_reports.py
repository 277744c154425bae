"""Reports of tasks as rows."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from sparkscore.records import ChallengerPart, ScoredPart, StagedFile
from sparkscore.scoring.part_reports import decode_part_report, encode_part_report

FILE = StagedFile("part-0.parquet", 10, 1, 2000, ascending=True)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (1, 2**62),
        ("a", "ü"),
        (date(2013, 1, 1), date(2013, 12, 31)),
        (datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        (Decimal("1.20"), Decimal("3.45")),
        (None, None),
    ],
)
def test_a_report_comes_as_it_was_sent(first: Any, last: Any) -> None:
    files = (StagedFile("part-0.parquet", 10, 1, 2000, ascending=True, first=first, last=last), FILE)
    beside = (
        ChallengerPart(0, (FILE,), 0.5),
        ChallengerPart(1, (), 0.1, {"class": "PredictError", "found": "no"}, "{}"),
    )
    part = ScoredPart(3, (0, 0), (2, 5), 4, files, 0.5, 1.25, (100, 10), 11, 0.2, beside)
    assert decode_part_report(encode_part_report(part, '{"rows": 10}')) == (part, '{"rows": 10}')


def test_a_part_without_files_or_layout_comes_as_it_was_sent() -> None:
    part = ScoredPart(0, (0, 0), (1, 0), 1)
    assert decode_part_report(encode_part_report(part, "{}")) == (part, "{}")
