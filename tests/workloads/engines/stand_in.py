"""A stand-in for vLLM: the part of its documented interface that is used, by a model that reads and writes words.

Nothing here shows that vLLM itself works; it shows what is asked of it. Checked against vLLM's own source of 0.11 and
newer: `vllm.LLM(model, *, tokenizer, trust_remote_code, load_format, seed, **engine arguments)`,
`LLM.generate(prompts, sampling_params, *, use_tqdm)` with `{"prompt_token_ids": [...]}`, `LLM.get_tokenizer`,
`SamplingParams`, `vllm.sampling_params.StructuredOutputsParams`, `RequestOutput`, `CompletionOutput`.
"""

from pathlib import Path

SOURCE = '''
"""What vLLM's package offers: see tests/workloads/engines/stand_in.py."""
import json, os
from dataclasses import dataclass, field
from types import SimpleNamespace
from vllm.sampling_params import SamplingParams

__version__ = "0.11.0"
_ARGUMENTS = {"dtype", "max_model_len", "gpu_memory_utilization", "enforce_eager", "max_num_seqs"}

class _Tokenizer:
    def __init__(self):
        self.words, self.chat_template = [], os.environ.get("STAND_IN_TEMPLATE", "words") or None
    def encode(self, text, add_special_tokens=True):
        found = []
        for word in text.split():
            if word not in self.words:
                self.words.append(word)
            found.append(self.words.index(word) + 1)
        return ([0] if add_special_tokens else []) + found
    def decode(self, ids):
        return " ".join(self.words[one - 1] for one in ids if one)
    def apply_chat_template(self, conversation, tokenize=True, add_generation_prompt=False):
        assert not tokenize
        return "<s> " + " ".join(f"<{one['role']}> {one['content']}" for one in conversation) + " <assistant>"

@dataclass
class CompletionOutput:
    index: int
    text: str
    token_ids: list
    finish_reason: str = None

class RequestOutput:
    def __init__(self, request_id, prompt, prompt_token_ids, outputs):
        self.request_id, self.prompt, self.prompt_token_ids = request_id, prompt, prompt_token_ids
        self.outputs, self.finished = outputs, True

class LLM:
    def __init__(self, model, *, tokenizer=None, trust_remote_code=False, load_format="auto", seed=None, **more):
        unknown = set(more) - _ARGUMENTS
        if unknown:
            raise TypeError(f"unexpected {unknown}")
        assert not trust_remote_code and load_format == "safetensors" and seed == 0
        assert os.path.isfile(os.path.join(model, "config.json")), model
        with open(os.path.join(model, "config.json")) as file:
            loads = json.load(file).get("loads")
        if loads:
            open(os.path.join(loads, f"{os.getpid()}-{id(self)}"), "w").close()
        self.loads = loads
        self.tokenizer = _Tokenizer()
        self.model_config = SimpleNamespace(max_model_len=more.get("max_model_len", 2048))
    def get_tokenizer(self):
        return self.tokenizer
    def generate(self, prompts, sampling_params=None, *, use_tqdm=True):
        assert not use_tqdm
        if self.loads:
            with open(os.path.join(self.loads, "calls"), "a") as file:
                file.write(f"{len(prompts)}\\n")
        if any("kill-engine" in self.tokenizer.decode(one["prompt_token_ids"]) for one in prompts):
            raise RuntimeError("EngineCore encountered an issue")
        for one in prompts:  # all are checked before one is computed
            if len(one["prompt_token_ids"]) >= self.model_config.max_model_len:
                raise ValueError("The decoder prompt is longer than the maximum model length")
        return [self._answer(place, one["prompt_token_ids"], sampling_params) for place, one in enumerate(prompts)]
    def _answer(self, place, ids, params):
        said = self.tokenizer.decode(ids)
        shape = params.structured_outputs
        if shape is None:
            text = "re: " + said.split("<user> ")[-1].removesuffix(" <assistant>")
        elif shape.choice is not None:
            text = next((one for one in shape.choice if one in said), shape.choice[-1])
        else:
            names = json.loads(shape.json)["properties"] if isinstance(shape.json, str) else shape.json["properties"]
            text = json.dumps({name: len(ids) for name in names})
        words = text.split()
        cut = words[: params.max_tokens]
        ends = "abort" if "give-up" in said else "length" if len(cut) < len(words) else "stop"
        out = CompletionOutput(0, " ".join(cut), list(range(len(cut))), ends)
        return RequestOutput(str(place), None, ids, [out])
'''
SAMPLING = """
from dataclasses import dataclass
from typing import Any

@dataclass
class StructuredOutputsParams:
    json: Any = None
    choice: Any = None
    json_object: Any = None
    def __post_init__(self):
        if sum(one is not None for one in (self.json, self.choice, self.json_object)) != 1:
            raise ValueError("You must use one kind of structured outputs constraint")

@dataclass
class SamplingParams:
    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    seed: Any = None
    stop: Any = None
    max_tokens: Any = 16
    structured_outputs: Any = None
    def __post_init__(self):
        if self.temperature < 0:
            raise ValueError("temperature must be non-negative")
"""


def install_stand_in(folder: Path) -> Path:
    """A folder for the import path, with a package `vllm` in it."""
    package = folder / "vllm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(SOURCE)
    (package / "sampling_params.py").write_text(SAMPLING)
    return folder
