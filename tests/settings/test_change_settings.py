"""Settings of a source of which only the changes are scored."""

from typing import Any

import pytest
from pydantic import ValidationError

from sparkscore.settings import Settings
from sparkscore.settings.source_settings import SourceSettings


def source(**values: Any) -> SourceSettings:
    return SourceSettings(table="flights", keys=("id",), **values)


def test_by_default_all_rows_are_read_and_predictions_of_deleted_ones_kept() -> None:
    assert (source().read, source().on_delete, source().on_new_model) == ("all", "keep", "everything")
    assert not source().reads_changes


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"on_delete": "mark"}, "no effect without source.read: changes"),
        ({"on_new_model": "from_now"}, "no effect without source.read: changes"),
        ({"read": "changes", "format": "csv"}, "has no versions"),
        ({"read": "changed"}, "Input should be 'all' or 'changes'"),
    ],
)
def test_what_would_do_nothing_is_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        source(**values)


def test_which_rows_are_read_is_no_part_of_the_scoring_digest() -> None:
    def digest(**values: Any) -> str:
        told = {"table": "flights", "keys": ["id"], **values}
        return Settings(job="j", source=told, model={"uri": "models:/m/1"}, output={"table": "p"}).scoring_digest()

    assert digest(read="changes", on_delete="mark", on_new_model="from_now") == digest()
