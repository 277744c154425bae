"""`output.columns` in the config: what is refused before anything is read, and in which words."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from sparkscore.settings import Settings

ROW = {"name": "risk", "probability": "late"}


def job(*columns: dict[str, Any], **output: Any) -> Settings:
    source = {"table": "flights", "keys": ["id"], "passthrough": ["carrier", "passport"], "sensitive": ["passport"]}
    return Settings.model_validate(
        {
            "job": "j",
            "source": source,
            "model": {"uri": "models:/m/1"},
            "output": {"table": "predictions", "columns": columns, **output},
        }
    )


@pytest.mark.parametrize(
    ("columns", "output", "words"),
    [
        ([{"name": "x"}], {}, "would be a copy of prediction"),
        ([{**ROW, "argmax": True}], {}, "2 operations: probability, argmax"),
        ([{**ROW, "probability": 0, "element": 0}], {}, "2 operations: element, probability"),
        ([ROW, {**ROW, "name": "Risk"}], {}, "has a column risk already"),
        ([{**ROW, "name": "ID"}], {}, "has a column id already"),
        ([{**ROW, "name": "run_id"}], {}, "has a column run_id already"),
        ([{**ROW, "name": "label"}], {"threshold": 0.5}, "has a column label already"),
        ([{**ROW, "name": "a b"}], {}, "a name that the prediction table cannot have"),
        ([{**ROW, "name": "${x}"}], {}, "a name that the prediction table cannot have"),
        ([{**ROW, "name": "_x"}], {}, "a name that the prediction table cannot have"),
        ([{**ROW, "name": "x" * 256}], {}, "at most 255"),
        ([{"name": "x", "of": "rsk", "round": 1}, ROW], {}, "made from rsk, which is no column before it"),
        ([ROW, {"name": "x", "of": "rsk", "round": 1}], {}, "did you mean risk"),
        ([{"name": "x", "of": "passport"}], {}, "in source.sensitive"),
        ([{"name": "x", "threshold": {"default": 0, "by": "carier", "values": {"AA": 1}}}], {}, "did you mean carrier"),
        ([{"name": "x", "bins": {"edges": [0.5, 0.5], "labels": ["a", "b", "c"]}}], {}, "0.5 before 0.5"),
        ([{"name": "x", "bins": {"edges": [0.5], "labels": ["a"]}}], {}, "1 labels for 1 edges; expected 2"),
        ([{"name": "x", "clip": [2, 1]}], {}, "expected the lesser first"),
        ([{"name": "x", "clip": [None, None]}], {}, "clips nothing"),
        ([{"name": "x", "threshold": float("nan")}], {}, "finite"),
        ([{"name": "x", "element": -1}], {}, "a position from 0 on"),
        ([{"name": "x", "lookup": {"table": "t", "key": {"a": "id"}, "value": "b"}, "of": "id"}], {}, "remove `of`"),
        ([{"name": f"x{one}", "argmax": True} for one in range(10_000)], {}, "10,000 columns; at most 1,000"),
        ([ROW], {"classes": [False, "late"]}, "output.classes"),
        ([ROW], {"classes": [False, True]}, "output.classes"),
        ([], {"classes": ["a", "b"]}, "no effect without output.columns"),
        ([ROW], {"explode": {"rsk": "v"}}, "which is no output .did you mean risk"),
        ([ROW], {"explode": {"risk": "a.b"}}, "no name of a view"),
        ([ROW], {"explode": {"risk": "predictions_runs"}}, "the name of a table of the job"),
        ([ROW], {"explode": {"risk": "v", "prediction": "V"}}, "the same view"),
    ],
)
def test_it_is_refused_in_words(columns: list[dict[str, Any]], output: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(words).replace(r"\.did", ".did")):
        job(*columns, **output)


def test_columns_change_no_scoring_digest_and_have_one_of_their_own() -> None:
    without, with_one, other = job(), job(ROW), job({**ROW, "round": 2})
    assert without.scoring_digest() == with_one.scoring_digest()
    assert without.output.columns_digest is None
    assert len({with_one.output.columns_digest, other.output.columns_digest}) == 2
    assert job(ROW, classes=("no", "late")).output.columns_digest != with_one.output.columns_digest
    assert job(ROW, explode={"prediction": "items"}).output.columns_digest == with_one.output.columns_digest


def test_a_thousand_columns_are_taken() -> None:
    assert len(job(*({"name": f"x{one}", "element": one} for one in range(1_000))).output.columns) == 1_000
