"""Texts of all kinds, and what a batch of them becomes: vectors, rejects, counts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sparkscore.errors import PredictError
from sparkscore.records.scored_rows import ScoredRows
from sparkscore.workloads.embeddings.embedding_model import EmbeddingModel
from tests.workloads.embeddings.tiny_models import SPECIAL, VOCABULARY, make_model

pytest.importorskip("tokenizers")


def embed(model: EmbeddingModel, texts: list[object]) -> ScoredRows:
    return model.predict(pd.DataFrame({"text": pd.Series(texts, dtype=object)}))


def codes(scored: ScoredRows) -> dict[int, str]:
    return {row: reject.code for row, reject in scored.rejects.items()}


def test_the_order_of_the_rows_is_kept_though_they_are_sorted_by_length(tmp_path: Path) -> None:
    model, network = make_model(tmp_path, token_budget=8)
    texts: list[object] = ["a " * 5, "b", "a " * 3, "c", "a " * 6]
    scored = embed(model, texts)
    assert scored.predictions[:, 1].tolist() == [7, 3, 5, 3, 8]
    assert scored.predictions[1, 0] != scored.predictions[3, 0]
    assert network.calls == [(2, 3), (1, 5), (1, 7), (1, 8)]


def test_tokens_and_padding_are_counted(tmp_path: Path) -> None:
    model, _ = make_model(tmp_path, token_budget=100)
    assert embed(model, ["a", "a b c", "a " * 30]).counts == {
        "tokens": 3 + 5 + 8,
        "padding_tokens": 3 * 8 - 16,
        "truncated_texts": 1,
        "network_calls": 1,
        "texts": 3,
    }


def test_equal_texts_are_embedded_once(tmp_path: Path) -> None:
    model, network = make_model(tmp_path)
    scored = embed(model, ["a b", "c", "a b", "a b"])
    assert scored.counts["repeated_texts"] == 2
    assert sum(rows for rows, _ in network.calls) == 2
    np.testing.assert_array_equal(scored.predictions[0], scored.predictions[3])


def test_chunks_are_averaged_by_their_tokens(tmp_path: Path) -> None:
    model, _ = make_model(tmp_path, on_long="chunk")
    scored = embed(model, ["a " * 6 + "b " * 2])
    a, b, ends = VOCABULARY.index("a"), VOCABULARY.index("b"), VOCABULARY.index("[CLS]") + VOCABULARY.index("[SEP]")
    first, second = (6 * a + ends) / (6 + SPECIAL), (2 * b + ends) / (2 + SPECIAL)
    assert scored.predictions[0, 0] == pytest.approx((6 * first + 2 * second) / 8)
    assert scored.counts["chunked_texts"] == 1


def test_vectors_have_length_1_where_that_is_wanted(tmp_path: Path) -> None:
    model, _ = make_model(tmp_path, normalise=True)
    assert np.linalg.norm(embed(model, ["a", "b c"]).predictions, axis=1) == pytest.approx(1)


@pytest.mark.parametrize("text", ["", " ", "\t\n\r", "\u3000", "\x00\x01\x07"])
def test_a_text_without_tokens_is_a_reject(tmp_path: Path, text: str) -> None:
    """Blanks and control characters: the tokenizer drops them, and a vector of nothing would be like any other."""
    model, _ = make_model(tmp_path)
    scored = embed(model, ["a", text])
    assert codes(scored) == {1: "empty_text"}
    assert len(scored.predictions) == 2


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_text_is_a_reject(tmp_path: Path, missing: object) -> None:
    model, network = make_model(tmp_path)
    assert codes(embed(model, [missing])) == {0: "null_text"}
    assert network.calls == []


def test_bytes_are_utf_8_or_a_reject(tmp_path: Path) -> None:
    """Nothing is replaced by guesswork: a vector of other characters would be believed."""
    model, _ = make_model(tmp_path)
    scored = embed(model, ["grüße".encode(), "grüße".encode("latin-1"), b"\xff\xfe", b""])
    assert codes(scored) == {1: "invalid_utf8", 2: "invalid_utf8", 3: "empty_text"}
    np.testing.assert_array_equal(scored.predictions[0], embed(model, ["grüße"]).predictions[0])


@pytest.mark.parametrize("text", ["😀", "a\x00b\x07", "\u202ea", "a" * 100_000, "a " * 50_000, "{a} {0} %s"])
def test_other_unusual_texts_are_embedded(tmp_path: Path, text: str) -> None:
    model, _ = make_model(tmp_path)
    scored = embed(model, [text])
    assert scored.rejects == {}
    assert np.isfinite(scored.predictions).all()


def test_a_message_of_a_reject_holds_no_text(tmp_path: Path) -> None:
    model, _ = make_model(tmp_path)
    scored = embed(model, [b"secret \xff", None, "  "])
    assert not any("secret" in reject.message for reject in scored.rejects.values())


def test_a_network_of_another_dimension_is_refused(tmp_path: Path) -> None:
    model, _ = make_model(tmp_path, dimension=3)
    with pytest.raises(PredictError, match=r"shape \(1, 2\)"):
        embed(model, ["a"])
