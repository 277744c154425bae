"""Image models as MLflow loads them, with networks whose answers are known."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sparkscore.errors import ConfigError, ModelError
from sparkscore.records.model_files import ModelFiles, offer_model_files
from tests.workloads.images.networks import COLOURS, PLAIN, make_detector, write_colour_graph
from tests.workloads.images.pictures import encode_pixels, make_bomb, plain_image

pytest.importorskip("onnxruntime")
mlflow = pytest.importorskip("mlflow")
pytestmark = pytest.mark.filterwarnings("ignore:.*input example:UserWarning")


def saved(folder: Path, model: Any = None, **options: Any) -> Any:
    """A loaded image model: the object of this package, inside of MLflow's."""
    from sparkscore import save_image_model

    graph = model or write_colour_graph(folder / "colours.onnx")
    save_image_model(folder / "model", graph, **{**PLAIN, "labels": COLOURS, **options})
    return mlflow.pyfunc.load_model(str(folder / "model"))


def contents(*rows: bytes | None) -> pd.DataFrame:
    return pd.DataFrame({"content": list(rows)}, dtype=object)


def test_labels_are_in_the_order_of_the_rows_whatever_the_window(tmp_path: Path) -> None:
    colours = [COLOURS[index % 3] for index in range(50)]
    rows = contents(*(plain_image(colour, size=(30 + index, 40)) for index, colour in enumerate(colours)))
    for window in (1, 7, 16, 100):
        found = saved(tmp_path / str(window), _graph(tmp_path), window=window).predict(rows)
        assert list(found.predictions) == colours
        assert (found.rejects, found.counts["images"]) == ({}, 50)
        assert found.counts["image_bytes"] == sum(map(len, rows["content"]))


def _graph(folder: Path) -> Path:
    return write_colour_graph(folder / "colours.onnx")


def test_broken_images_are_rejects_among_the_others(tmp_path: Path) -> None:
    whole = plain_image("green", kind="JPEG")
    rows = [b"", plain_image("red"), None, whole[: len(whole) // 2], b"text", make_bomb(), plain_image("blue")]
    found = saved(tmp_path, window=4).predict(contents(*rows))
    assert {at: one.code for at, one in found.rejects.items()} == {
        0: "image_empty",
        2: "image_missing",
        3: "image_truncated",
        4: "image_unreadable",
        5: "image_too_large",
    }
    assert [found.predictions[at] for at in (1, 6)] == ["red", "blue"]
    assert found.counts["images"] == 2


def test_a_batch_of_broken_images_alone_never_meets_the_network(tmp_path: Path) -> None:
    found = saved(tmp_path).predict(contents(b"", b"x"))
    assert set(found.rejects) == {0, 1}
    assert found.counts["images"] == 0


class TestOutputs:
    """What a prediction is."""

    def test_the_first_classes_with_their_probabilities(self, tmp_path: Path) -> None:
        found = saved(tmp_path, output="top_k", top_k=2).predict(contents(plain_image("green"))).predictions[0]
        own = np.exp([10, 0, 0]) / np.exp([10, 0, 0]).sum()
        assert [one["label"] for one in found] == ["green", "red"]
        np.testing.assert_allclose([one["probability"] for one in found], own[:2], rtol=1e-5)

    @pytest.mark.parametrize(
        ("activation", "own"),
        [
            ("softmax", np.exp([10, 0, 0]) / np.exp([10, 0, 0]).sum()),
            ("sigmoid", [1 / (1 + np.exp(-10)), 0.5, 0.5]),
            ("none", [10, 0, 0]),
        ],
    )
    def test_all_probabilities(self, tmp_path: Path, activation: str, own: Any) -> None:
        found = saved(tmp_path, output="probabilities", activation=activation).predict(contents(plain_image("red")))
        np.testing.assert_allclose(found.predictions[0], own, rtol=1e-5, atol=1e-6)

    def test_an_embedding_is_what_the_network_gives(self, tmp_path: Path) -> None:
        found = saved(tmp_path, output="embedding").predict(contents(plain_image("blue")))
        np.testing.assert_allclose(found.predictions[0], [0, 0, 10], atol=1e-5)

    def test_without_labels_a_class_is_its_number(self, tmp_path: Path) -> None:
        assert saved(tmp_path, labels=None).predict(contents(plain_image("blue"))).predictions == ["2"]

    def test_labels_of_another_number_are_an_error_not_a_shifted_label(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="2 labels for the network's 3 classes"):
            saved(tmp_path, labels=("a", "b")).predict(contents(plain_image("red")))

    @pytest.mark.parametrize("runtime", ["onnx", "torch"])
    @pytest.mark.parametrize("fit", ["stretch", "pad"])
    def test_boxes_are_in_pixels_of_the_file(self, tmp_path: Path, runtime: str, fit: str) -> None:
        pytest.importorskip("torch")
        pixels = np.zeros((160, 320, 3), np.uint8)
        pixels[40:80, 100:200] = 255
        options = {"runtime": runtime, "fit": fit, "output": "boxes", "labels": ("thing", "all")}
        model = saved(tmp_path, make_detector(), **options, min_score=0.2)
        found = model.predict(contents(encode_pixels(pixels))).predictions[0]
        assert [one["label"] for one in found] == ["thing", "all"]
        assert [round(one["score"], 3) for one in found] == [1.0, 0.3]
        corners = [found[0][side] for side in ("left", "top", "right", "bottom")]
        np.testing.assert_allclose(corners, [100, 40, 200, 80], atol=11)  # a pixel of the network
        assert [found[1][side] for side in ("left", "top", "right", "bottom")] == [0, 0, 320, 160]
        fewer = saved(tmp_path / "few", make_detector(), **options).predict(contents(encode_pixels(pixels)))
        assert [one["label"] for one in fewer.predictions[0]] == ["thing"]


def test_a_network_for_a_fixed_number_of_images_gets_that_many(tmp_path: Path) -> None:
    graph = write_colour_graph(tmp_path / "eight.onnx", images=8)
    colours = [COLOURS[index % 3] for index in range(19)]
    found = saved(tmp_path, graph, window=16).predict(contents(*map(plain_image, colours)))
    assert found.predictions == colours


def test_the_next_window_is_decoded_while_the_network_works(tmp_path: Path) -> None:
    """The network waits until a decode of the next window has begun: without overlap it would wait for ever."""
    from sparkscore.workloads.images import image_model
    from sparkscore.workloads.images.image_decoding import DecodingOptions
    from sparkscore.workloads.images.image_options import ImageModelOptions
    from sparkscore.workloads.images.image_preparation import PreparationOptions

    begun = threading.Event()

    class Content(bytes):
        def __bytes__(self) -> bytes:
            begun.set()
            return bytes(memoryview(self))

    def network(images: Any) -> Any:
        assert begun.wait(60)
        return [images.mean((2, 3))]

    options = ImageModelOptions(DecodingOptions(), PreparationOptions(32, 32, resize_to=32), window=2)
    model = image_model.ImageModel(options, network)
    first, second = plain_image("red"), Content(plain_image("blue"))
    found = model.predict(contents(first, first, second, second))
    assert len(found.predictions) == 4


class TestPaths:
    """A model whose inputs are paths."""

    def test_files_below_the_folder_are_read_and_others_rejected(self, tmp_path: Path) -> None:
        from sparkscore import save_image_model

        root = tmp_path / "photos"
        root.mkdir()
        (root / "a.png").write_bytes(plain_image("red"))
        (root / "b.png").write_bytes(b"")
        (tmp_path / "secret.png").write_bytes(plain_image("blue"))
        save_image_model(tmp_path / "model", _graph(tmp_path), **PLAIN, labels=COLOURS, source="path")
        with offer_model_files(ModelFiles(str(root), str(root), "")):
            model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
        paths = ["a.png", "b.png", "../secret.png", "none.png", None, f"file:{root}/a.png"]
        found = model.predict(pd.DataFrame({"path": paths}))
        assert [found.predictions[at] for at in (0, 5)] == ["red", "red"]
        assert {at: one.code for at, one in found.rejects.items()} == {
            1: "image_empty",
            2: "path_outside_root",
            3: "file_missing",
            4: "image_missing",
        }

    def test_without_a_folder_it_is_not_loaded(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"nobody has said which"):
            saved(tmp_path, source="path")


class TestSaving:
    """What is refused before anything is saved."""

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"output": "labels"}, "output 'labels'"),
            ({"fit": "cut"}, "fit 'cut'"),
            ({"source": "url"}, "source 'url'"),
            ({"interpolation": "area"}, "interpolation 'area'"),
            ({"activation": "relu"}, "activation 'relu'"),
            ({"resize_to": 31}, "resize_to below the size"),
            ({"mean": (0, 0)}, "another length than 1 or 3"),
            ({"std": (1, 0, 1)}, "not above 0"),
            ({"max_pixels": 1 << 40}, "max_pixels above"),
            ({"window": 0}, "below 1"),
            ({"size": (0, 32)}, "size below 1"),
        ],
    )
    def test_options_that_do_not_fit(self, tmp_path: Path, options: dict[str, Any], words: str) -> None:
        with pytest.raises(ConfigError, match=words):
            saved(tmp_path, **options)
        assert not (tmp_path / "model").exists()

    @pytest.mark.parametrize("model", ["none.onnx", "model.pkl", 3])
    def test_what_is_no_network(self, tmp_path: Path, model: Any) -> None:
        with pytest.raises(ConfigError):
            saved(tmp_path, str(tmp_path / model) if isinstance(model, str) else model)

    def test_a_module_that_cannot_be_exported(self, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")

        class Odd(torch.nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
            def forward(self, images: Any) -> Any:
                return torch.special.bessel_j0(images).mean((2, 3))

        with pytest.raises(ModelError, match="could not export"):
            saved(tmp_path, Odd())

    def test_a_model_says_what_it_is(self, tmp_path: Path) -> None:
        model = saved(tmp_path, output="top_k")
        assert model.metadata.metadata == {"sparkscore": {"batch_rows": 256}}
        assert model.metadata.flavors["python_function"]["loader_module"].startswith("sparkscore.workloads.images")
        assert not list((tmp_path / "model").rglob("*.pkl"))
