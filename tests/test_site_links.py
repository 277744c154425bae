"""The site's hook: links that leave docs/ lead to the repository."""

import logging

import pytest
from ci.site_links import rewrite_links

REPOSITORY = "https://github.com/sparkscore/sparkscore"


@pytest.mark.parametrize(
    ("source", "link", "expected"),
    [
        ("README.md", "../README.md", f"{REPOSITORY}/blob/main/README.md"),
        (
            "decisions/scan.md",
            "../../src/sparkscore/errors.py#L1",
            f"{REPOSITORY}/blob/main/src/sparkscore/errors.py#L1",
        ),
        ("faults.md", "../tests/faults", f"{REPOSITORY}/tree/main/tests/faults"),
        ("decisions/scan.md", "../benchmarks/README.md", "../benchmarks/README.md"),
        ("jobs.md", "decisions/settings.md", "decisions/settings.md"),
    ],
)
def test_a_link_out_of_docs_leads_to_the_repository(source: str, link: str, expected: str) -> None:
    assert rewrite_links(f"see [this]({link}).", source=source, repository=REPOSITORY) == f"see [this]({expected})."


def test_a_link_to_a_file_that_is_not_there_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        rewrite_links("[gone](../nowhere.py)", source="jobs.md", repository=REPOSITORY)
    assert caplog.messages == ["docs/jobs.md links to nowhere.py, which is not there"]
