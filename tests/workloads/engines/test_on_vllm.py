"""vLLM itself, on a machine with a GPU and the extra vllm: `python -m pytest -m gpu`. Skipped elsewhere."""

from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

from sparkscore import save_language_model
from sparkscore.workloads.engines.engine_model import load_engine_model

torch = pytest.importorskip("torch", reason="the extra gpu is not installed")
pytest.importorskip("vllm", reason="the extra vllm is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU of NVIDIA's"),
]
WORDS = ("<pad>", "<eos>", "<unk>", "good", "bad", "this", "is")


def write_tiny_llama(folder: Path) -> Path:
    """Random weights of a network that vLLM knows, and a tokenizer of some words."""
    library = import_module("tokenizers")
    made = library.Tokenizer(library.models.WordLevel({w: n for n, w in enumerate(WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = library.pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<eos>", unk_token="<unk>", pad_token="<pad>"
    )
    tokenizer.chat_template = "{% for one in messages %}{{ one['content'] }} {% endfor %}"
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(WORDS), hidden_size=128, intermediate_size=128, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=128, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_the_engine_answers_a_batch_and_rejects_what_does_not_fit(tmp_path: Path) -> None:
    weights = write_tiny_llama(tmp_path / "weights")
    save_language_model(
        tmp_path / "model",
        weights,
        prompt="this is {text}",
        max_tokens=4,
        cut_answers="keep",
        engine={"max_model_len": 64, "gpu_memory_utilization": 0.2, "enforce_eager": True, "dtype": "float16"},
    )
    model = load_engine_model(str(tmp_path / "model" / "data" / "language_model"))
    rows = pd.DataFrame({"text": ["good", "bad " * 100, "bad", None]})
    first, again = model.predict(rows), model.predict(rows)
    assert {place: row.code for place, row in first.rejects.items()} == {1: "prompt_too_long", 3: "null_input"}
    assert [row and row["answer"] for row in first.predictions] == [row and row["answer"] for row in again.predictions]
    assert first.counts["prompt_tokens"] == 6
