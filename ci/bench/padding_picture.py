"""Draws docs/workloads/embeddings.svg: tokens and padding of the texts of installed packages, in three orders.

PYTHONPATH=src:ci python -m bench.padding_picture TOKENIZER.JSON
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import copyfile

import numpy as np

from sparkscore.workloads.embeddings.embedding_options import TOKENIZER_FILE, EmbeddingOptions
from sparkscore.workloads.embeddings.package_texts import collect_package_texts
from sparkscore.workloads.embeddings.text_tokenizer import TextTokenizer
from sparkscore.workloads.embeddings.token_batches import plan_token_batches

OUT = Path(__file__).resolve().parents[2] / "docs" / "workloads" / "embeddings.svg"
BATCH_TEXTS, WINDOW, TOKEN_BUDGET, MAX_TOKENS = 32, 4096, 1024, 256
WIDTH, BAR, GAP, LEFT = 460, 26, 18, 230


def main(tokenizer: str) -> None:
    """Write the picture."""
    texts = collect_package_texts()["text"].to_pylist()
    with tempfile.TemporaryDirectory() as folder:
        copyfile(tokenizer, Path(folder, TOKENIZER_FILE))
        made = TextTokenizer(folder, EmbeddingOptions(dimension=1, max_tokens=MAX_TOKENS), cores=2)
        lengths = np.array([len(piece) for piece in made.tokenise(texts).pieces])
    lengths = np.random.default_rng(1).permutation(lengths)
    padded = {
        f"{BATCH_TEXTS} texts as they come": sum(len(b) * max(b) for b in _cut(lengths)),
        f"{BATCH_TEXTS} texts, sorted by length": sum(len(b) * max(b) for b in _cut(np.sort(lengths))),
        f"sorted, {TOKEN_BUDGET:,} tokens per call": sum(_plan(lengths)),
    }
    OUT.write_text(_draw(int(lengths.sum()), padded, len(texts)), encoding="utf-8")


def _cut(lengths: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(lengths), BATCH_TEXTS):
        yield lengths[start : start + BATCH_TEXTS]


def _plan(lengths: Sequence[int]) -> Iterator[int]:
    for start in range(0, len(lengths), WINDOW):
        window = lengths[start : start + WINDOW]
        for batch in plan_token_batches(window, TOKEN_BUDGET):
            yield len(batch) * max(window[place] for place in batch)


def _draw(tokens: int, padded: dict[str, int], texts: int) -> str:
    scale, height = WIDTH / max(padded.values()), len(padded) * (BAR + GAP) + 54
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 90}" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for place, (name, total) in enumerate(padded.items()):
        top = 10 + place * (BAR + GAP)
        real, filled = tokens * scale, (total - tokens) * scale
        parts += [
            f'<text x="{LEFT - 10}" y="{top + 18}" text-anchor="end" fill="#24292f">{name}</text>',
            f'<rect x="{LEFT}" y="{top}" width="{real:.1f}" height="{BAR}" fill="#1f6feb"/>',
            f'<rect x="{LEFT + real:.1f}" y="{top}" width="{filled:.1f}" height="{BAR}" fill="#d0d7de"/>',
            f'<text x="{LEFT + real + filled + 8:.1f}" y="{top + 18}" fill="#24292f">'
            f"+{(total - tokens) / tokens:.0%}</text>",
        ]
    foot = height - 14
    parts += [
        f'<rect x="{LEFT}" y="{foot - 11}" width="12" height="12" fill="#1f6feb"/>',
        f'<text x="{LEFT + 18}" y="{foot}" fill="#24292f">{tokens / 1e3:,.0f} thousand tokens, {texts:,} texts</text>',
        f'<rect x="{LEFT + 290}" y="{foot - 11}" width="12" height="12" fill="#d0d7de"/>',
        f'<text x="{LEFT + 308}" y="{foot}" fill="#24292f">padding</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    main(sys.argv[1])
