"""What becomes of texts before the network sees them."""

from pathlib import Path
from typing import Any

import pytest

from sparkscore.workloads.embeddings.embedding_options import EmbeddingOptions
from sparkscore.workloads.embeddings.text_tokenizer import TextTokenizer
from tests.workloads.embeddings.tiny_models import VOCABULARY, write_tokenizer

pytest.importorskip("tokenizers")
CLS, SEP, A, B = (VOCABULARY.index(one) for one in ("[CLS]", "[SEP]", "a", "b"))


def tokenizer(folder: Path, **options: Any) -> TextTokenizer:
    write_tokenizer(folder)
    return TextTokenizer(folder, EmbeddingOptions(**{"dimension": 2, "max_tokens": 8} | options), cores=1)


def test_pieces_are_not_padded_and_have_the_special_tokens(tmp_path: Path) -> None:
    done = tokenizer(tmp_path).tokenise(["a", "a b a"])
    assert done.pieces == [[CLS, A, SEP], [CLS, A, B, A, SEP]]
    assert (done.owners, done.weights, done.truncated_texts) == ([0, 1], [1, 3], 0)


def test_a_long_text_is_truncated_and_counted(tmp_path: Path) -> None:
    done = tokenizer(tmp_path).tokenise(["a " * 7, "a " * 6])
    assert done.pieces[0] == [CLS, *[A] * 6, SEP]
    assert (done.truncated_texts, done.chunked_texts) == (1, 0)


def test_of_a_very_long_text_only_the_beginning_is_tokenised_to_the_same_tokens(tmp_path: Path) -> None:
    """The rest is never given to the tokenizer, however long it is."""
    made = tokenizer(tmp_path)
    long = "a b " * 25_000
    assert made.tokenise([long]).pieces == made.tokenise(["a b " * 4]).pieces
    assert made.tokenise([long]).truncated_texts == 1
    assert len(made._shorten(long)[0]) < 100


def test_a_text_whose_first_words_are_long_is_tokenised_whole(tmp_path: Path) -> None:
    """A word of 70 characters is one token: what is cut off first would be missing."""
    text = f"{'x' * 70} {'a ' * 3}{'b ' * 50}"
    assert tokenizer(tmp_path).tokenise([text]).pieces == [[CLS, 1, A, A, A, B, B, SEP]]


@pytest.mark.parametrize("overlap", [0, 2])
def test_chunks_hold_all_tokens_of_a_long_text(tmp_path: Path, overlap: int) -> None:
    done = tokenizer(tmp_path, on_long="chunk", overlap_tokens=overlap).tokenise(["b " * 3, "a " * 20])
    assert (done.truncated_texts, done.chunked_texts) == (0, 1)
    assert done.owners[0] == 0
    assert set(done.owners[1:]) == {1}
    chunks = done.weights[1:]
    assert sum(chunks) == 20 + overlap * (len(chunks) - 1)
    assert all(piece[0] == CLS and piece[-1] == SEP and len(piece) <= 8 for piece in done.pieces)


def test_a_prompt_goes_before_each_text(tmp_path: Path) -> None:
    assert tokenizer(tmp_path, prompt="b ").tokenise(["a"]).pieces == [[CLS, B, A, SEP]]
