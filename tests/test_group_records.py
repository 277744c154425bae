"""Sets of models: what a run with one model per group pins."""

from dataclasses import replace

import pytest

from sparkscore.records import GroupEntry, ModelSet, PinAdditions, PinnedTable

A, B = GroupEntry(("a",), "m-a", "1", "", "d1"), GroupEntry(("b",), missing="the registry has none")


@pytest.mark.parametrize(
    "additions",
    [
        PinAdditions(has_groups=True),
        PinAdditions(has_groups=True, groups=PinnedTable("id", 7)),
        PinAdditions((PinnedTable("look", 1),), changes_since=3, has_groups=True, groups=PinnedTable("id", 7)),
    ],
)
def test_groups_stand_behind_the_digest_of_the_settings(additions: PinAdditions) -> None:
    text = additions.add_to_digest("0f")
    assert text.startswith("0f+")
    assert PinAdditions.from_digest(text) == additions


def test_without_groups_a_digest_is_as_it_was() -> None:
    assert PinAdditions().add_to_digest("0f") == "0f"
    assert not PinAdditions.from_digest("0f+id@3").has_groups


@pytest.mark.parametrize(
    "other",
    [
        ModelSet(("store",), (replace(A, version="2"), B)),
        ModelSet(("store",), (replace(A, digest="d2"), B)),
        ModelSet(("store",), (A,)),
        ModelSet(("store",), (A, replace(B, name="m-b", version="1", missing=None))),
        ModelSet(("shop",), (A, B)),
    ],
)
def test_any_other_group_version_or_file_is_another_set(other: ModelSet) -> None:
    known = ModelSet(("store",), (A, B))
    assert other.digest != known.digest
    assert other.version != known.version
    assert known.missing == (B,)
