"""Libraries whose memory the system limits: what they raise then makes batches smaller. Each in its own process."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource
from pathlib import Path

import numpy as np
import pyarrow as pa

from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.scorer import build_local_scorer
from sparkscore.records import BatchLimits, ModelInput
from sparkscore.scoring.batch_sizer import BatchSizer
from sparkscore.scoring.kernel import Kernel

WIDTH, ROWS, ROOM = 4_096, 100_000, 400 << 20
{library}

def count_mapped_bytes():
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmSize"))
    return int(line.split()[1]) << 10

model = ShippedModel("0" * 64, "", "pyfunc", (ModelInput("x", pa.float64(), True),), True, pa.float64())
halved, sizer = [], BatchSizer(BatchLimits(rows=ROWS))
score = build_local_scorer(model, predict)
kernel = Kernel(model, load=lambda: score, on_batch=lambda *_: None, on_halved=lambda: halved.append(1), sizer=sizer)
column = pa.array(np.arange(ROWS, dtype=np.float64))
kernel(pa.record_batch([column.slice(0, 10)], ["x"]))
resource.setrlimit(resource.RLIMIT_AS, (count_mapped_bytes() + ROOM,) * 2)
scored = kernel(pa.record_batch([column], ["x"]))
assert scored.num_columns == 1, scored.column(1).drop_null()[:1]
assert scored.column(0).equals(column)
print(len(halved), sizer.chosen_rows)
"""
"""The model makes 4,096 doubles of each row: of all at once 3 GB."""

ONNX = """
import onnx
import onnxruntime
from onnx import TensorProto, helper

ones = np.ones((1, WIDTH))
nodes = [helper.make_node("MatMul", ["x", "w"], ["wide"])]
nodes += [helper.make_node("ReduceMean", ["wide"], ["y"], axes=[1], keepdims=0)]
values = [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, 1])]
answers = [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None])]
weights = [helper.make_tensor("w", TensorProto.DOUBLE, ones.shape, ones.ravel())]
graph = helper.make_graph(nodes, "wide", values, answers, weights)
made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
predict = lambda array: session.run(None, {"x": array})[0]
"""
TORCH = """
import torch

torch.set_num_threads(1)
predict = lambda array: (torch.from_numpy(array) * torch.ones(WIDTH, dtype=torch.float64)).mean(dim=1).numpy()
"""
NUMPY = """
predict = lambda array: (array * np.ones(WIDTH)).mean(axis=1)
"""


@pytest.mark.parametrize(
    ("library", "needs"),
    [(NUMPY, ()), (ONNX, ("onnx", "onnxruntime")), pytest.param(TORCH, ("torch",), marks=pytest.mark.slow)],
    ids=["numpy", "onnx", "torch"],
)
def test_batches_are_halved_until_they_fit_into_its_memory_and_no_row_is_lost(
    library: str, needs: tuple[str, ...]
) -> None:
    for module in needs:
        pytest.importorskip(module)
    if sys.platform != "linux":
        pytest.skip("the memory that a process has mapped is read from /proc")
    script = SCRIPT.replace("{library}", library)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    halved, rows = map(int, done.stdout.split())
    assert 3 <= halved <= 8
    assert rows == 100_000 >> halved
