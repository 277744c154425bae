"""Texts to token ids, once, without padding, cut to what the network takes. Runs on executors."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparkscore.workloads.embeddings.embedding_options import TOKENIZER_FILE, EmbeddingOptions

_CHARACTERS_PER_TOKEN = 12
"""So many characters of a long text are tokenised first: few texts need more of them for as many tokens."""
_WORD_SPLITTERS = frozenset({"BertPreTokenizer", "Whitespace", "WhitespaceSplit"})
"""Where words end at spaces, the tokens before a space do not depend on what follows it."""


@dataclass(slots=True)
class TokenisedTexts:
    """Pieces of texts, each one pass of the network; those of a text follow one another."""

    pieces: list[list[int]] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    """Which text each piece is of."""
    weights: list[int] = field(default_factory=list)
    """Tokens of the text in each piece, special ones not counted: 0 only where a text has none."""
    truncated_texts: int = 0
    chunked_texts: int = 0


class TextTokenizer:
    """A fast tokenizer (`tokenizer.json`) with a model's limits."""

    def __init__(self, folder: str | Path, options: EmbeddingOptions, *, cores: int) -> None:
        os.environ.setdefault("RAYON_NUM_THREADS", str(cores))
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true" if cores > 1 else "false")
        from tokenizers import Tokenizer

        self._tokenizer: Any = Tokenizer.from_file(str(Path(folder, TOKENIZER_FILE)))
        self.pad_id: int = (self._tokenizer.padding or {}).get("pad_id", 0)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._head, self._tail = self._find_special_tokens()
        self._room = max(1, options.max_tokens - len(self._head) - len(self._tail))
        self._options = options
        kind = getattr(self._tokenizer.pre_tokenizer, "__class__", type(None)).__name__
        self._ends_words_at_spaces = kind in _WORD_SPLITTERS

    def tokenise(self, texts: Sequence[str]) -> TokenisedTexts:
        """The texts' pieces. A text without tokens has one, of special tokens alone, of weight 0."""
        done = TokenisedTexts()
        for owner, (ids, is_cut) in enumerate(self._encode(texts)):
            is_long = is_cut or len(ids) > self._room
            if is_long and self._options.on_long == "truncate":
                done.truncated_texts += 1
            elif is_long:
                done.chunked_texts += 1
            for part in self._cut(ids):
                done.pieces.append([*self._head, *part, *self._tail])
                done.owners.append(owner)
                done.weights.append(len(part))
        return done

    def _encode(self, texts: Sequence[str]) -> Iterator[tuple[list[int], bool]]:
        """Ids without special ones, and whether only the first part of the text was tokenised."""
        heads = [self._shorten(self._options.prompt + text) for text in texts]
        found = self._tokenizer.encode_batch_fast([head for head, _ in heads], add_special_tokens=False)
        for text, (_, is_cut), one in zip(texts, heads, found, strict=True):
            if is_cut and len(one.ids) < self._room:  # long words: then all of it
                yield self._tokenizer.encode(self._options.prompt + text, add_special_tokens=False).ids, False
            else:
                yield one.ids, is_cut

    def _shorten(self, text: str) -> tuple[str, bool]:
        """As much of a text as its first tokens can need, up to a space, where the rest would be thrown away."""
        limit = self._room * _CHARACTERS_PER_TOKEN
        if len(text) <= limit or self._options.on_long != "truncate" or not self._ends_words_at_spaces:
            return text, False
        end = text.rfind(" ", self._room, limit)
        return (text[:end], True) if end > 0 else (text, False)

    def _cut(self, ids: list[int]) -> Iterator[list[int]]:
        if self._options.on_long == "truncate" or len(ids) <= self._room:
            yield ids[: self._room]
            return
        step = max(1, self._room - self._options.overlap_tokens)
        for start in range(0, len(ids) - self._options.overlap_tokens, step):
            yield ids[start : start + self._room]

    def _find_special_tokens(self) -> tuple[list[int], list[int]]:
        """What the tokenizer puts before and after a text."""
        bare = self._tokenizer.encode("a", add_special_tokens=False).ids
        whole = self._tokenizer.encode("a").ids
        place = next((n for n in range(len(whole)) if whole[n : n + len(bare)] == bare), 0)
        return whole[:place], whole[place + len(bare) :]
