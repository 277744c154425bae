"""What `reasons` cannot be set together with."""

from typing import Any

import pytest
from pydantic import ValidationError

from sparkscore.settings import Settings


def load(**more: Any) -> Settings:
    values: dict[str, Any] = {
        "job": "churn",
        "source": {"table": "customers", "keys": ["id"]},
        "output": {"table": "churn"},
        "reasons": {"top": 3},
    }
    return Settings(**values, **more)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ({"uri": "models:/churn-{store}@champion", "by": ["store"]}, "reasons are of one model"),
        ({"uri": "models:/churn@champion", "reuse": True}, "keeps predictions without their reasons"),
    ],
)
def test_reasons_are_of_one_model_that_predicts_in_this_run(model: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        load(model=model)


def test_reasons_of_a_registered_model_need_nothing_more() -> None:
    assert load(model={"uri": "models:/churn@champion"}).reasons is not None
