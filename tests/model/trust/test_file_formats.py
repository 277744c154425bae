import bz2
import gzip
import io
import lzma
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sparkscore.errors import TrustRefused
from sparkscore.model.trust.file_formats import ModelFile, describe_model_file, list_model_files
from tests.model.trust.hostile import harmful_pickle, write_skops

ORDINARY = {
    "MLmodel": b"flavors:\n  python_function: {}\n",
    "conda.yaml": b"channels:\n- conda-forge\ndependencies:\n- python=3.11\n",
    "requirements.txt": b"cloudpickle\nmlflow\nnumpy==2.0\n",
    "input_example.json": b'{"columns": ["a"], "data": [[1.5]]}',
    "model.lgb": b"tree\nversion=v4\nnum_class=1\n",
    "model.json": b'{"learner": {"attributes": {}}}',
    "model.ubj": b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner",
    "model.cbm": b"CBM1" + bytes(64),
    "weights.bin": np.random.default_rng(7).normal(size=50_000).astype(np.float32).tobytes(),
    "notes.md": "größer als\n".encode() * 1000,
    "dot.txt": b".",
}


def described(folder: Path, name: str, content: bytes) -> ModelFile:
    path = folder / name
    path.write_bytes(content)
    return describe_model_file(path, name)


class TestOrdinaryFiles:
    @pytest.mark.parametrize("name", ORDINARY)
    def test_are_neither_pickles_nor_code(self, tmp_path: Path, name: str) -> None:
        one = described(tmp_path, name, ORDINARY[name])
        assert not one.is_pickle
        assert not one.is_code

    def test_have_the_formats_that_settings_name(self, tmp_path: Path) -> None:
        formats = {name: described(tmp_path, name, content).format for name, content in ORDINARY.items()}
        assert formats == {
            "MLmodel": "text",
            "conda.yaml": "text",
            "requirements.txt": "text",
            "input_example.json": "json",
            "model.lgb": "lightgbm",
            "model.json": "json",
            "model.ubj": "xgboost",
            "model.cbm": "catboost",
            "weights.bin": "unknown",
            "notes.md": "text",
            "dot.txt": "text",
        }

    def test_hardly_any_random_weights_look_like_a_pickle(self, tmp_path: Path) -> None:
        random = np.random.default_rng(11)
        found = [described(tmp_path, "w", random.bytes(2000)).is_pickle for _ in range(2000)]
        assert sum(found) <= 5

    def test_skops_and_arrays_hold_data(self, tmp_path: Path) -> None:
        array = io.BytesIO()
        np.save(array, np.arange(5))
        skops = write_skops(tmp_path / "model.skops", one__npy=array.getvalue())
        assert describe_model_file(skops, "model.skops") == ModelFile("model.skops", "skops")
        assert described(tmp_path, "x", array.getvalue()) == ModelFile("x", "numpy")


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda content: lzma.compress(content, lzma.FORMAT_ALONE),
}


class TestPicklesInDisguise:
    @pytest.mark.parametrize("protocol", range(6))
    @pytest.mark.parametrize("name", ["model.pkl", "model.skops", "conda.yaml", "weights.onnx", "data"])
    def test_are_found_by_their_content(self, tmp_path: Path, name: str, protocol: int) -> None:
        content = harmful_pickle(tmp_path / "sentinel", protocol)
        assert described(tmp_path, name, content).is_pickle
        assert not (tmp_path / "sentinel").exists()

    @pytest.mark.parametrize("packing", PACKED)
    def test_are_found_when_they_are_compressed(self, tmp_path: Path, packing: str) -> None:
        content = pickle.dumps([bytes(3 << 20), object()]) if packing == "gzip" else harmful_pickle(tmp_path / "s")
        assert described(tmp_path, "model", PACKED[packing](content)).is_pickle

    def test_are_found_behind_much_data(self, tmp_path: Path) -> None:
        content = pickle.dumps((bytes(40 << 20), tmp_path))
        assert described(tmp_path, "model", content).is_pickle

    def test_are_found_though_they_end_in_rubbish(self, tmp_path: Path) -> None:
        assert described(tmp_path, "model", b"cos\nsystem\n(S'true'\ntR\xff\xff\xff").is_pickle

    def test_what_only_joblib_can_unpack_counts_as_one(self, tmp_path: Path) -> None:
        assert described(tmp_path, "model", b"\x04\x22\x4d\x18" + bytes(50)).is_pickle

    def test_are_found_in_archives(self, tmp_path: Path) -> None:
        path = write_skops(tmp_path / "model.skops", hidden__npy=harmful_pickle(tmp_path / "s"))
        assert describe_model_file(path, "model.skops") == ModelFile("model.skops", "skops", is_pickle=True)

    def test_are_found_behind_the_beginning_of_something_else(self, tmp_path: Path) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("archive/data.pkl", harmful_pickle(tmp_path / "s"))
        assert described(tmp_path, "model.json", b"{}" + packed.getvalue()).is_pickle

    def test_an_archive_in_an_archive_counts_as_one(self, tmp_path: Path) -> None:
        inner = write_skops(tmp_path / "inner").read_bytes()
        path = write_skops(tmp_path / "model.skops", inner=inner)
        assert describe_model_file(path, "model.skops").is_pickle

    def test_arrays_of_objects_are_some(self, tmp_path: Path) -> None:
        array = io.BytesIO()
        np.save(array, np.array([{}], dtype=object), allow_pickle=True)
        assert described(tmp_path, "x.npy", array.getvalue()).is_pickle
        path = write_skops(tmp_path / "model.skops", x__npy=array.getvalue())
        assert describe_model_file(path, "model.skops").is_pickle

    def test_what_pytorch_saves_is_one(self, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")
        torch.save({"w": torch.zeros(3)}, tmp_path / "model.pth")
        torch.save({"w": torch.zeros(3)}, tmp_path / "old", _use_new_zipfile_serialization=False)
        assert describe_model_file(tmp_path / "model.pth", "model.pth") == ModelFile(
            "model.pth", "torch", is_pickle=True
        )
        assert describe_model_file(tmp_path / "old", "old").is_pickle

    def test_a_tar_is_an_archive(self, tmp_path: Path) -> None:
        with tarfile.open(tmp_path / "x", "w") as archive:
            archive.add(__file__, "a")
        assert describe_model_file(tmp_path / "x", "x").format == "archive"


class TestCode:
    @pytest.mark.parametrize("name", ["a.py", "a.PYC", "a.so", "lib.dll", "a.whl"])
    def test_is_found_by_its_name(self, tmp_path: Path, name: str) -> None:
        assert described(tmp_path, name, b"x = 1").is_code

    @pytest.mark.parametrize("start", [b"\x7fELF", b"MZ\x90\x00", b"\xcf\xfa\xed\xfe"])
    def test_programs_are_found_by_their_content(self, tmp_path: Path, start: bytes) -> None:
        assert described(tmp_path, "weights.bin", start + bytes(100)).is_code

    def test_a_list_of_imports_is_code_and_weights_of_its_name_are_none(self, tmp_path: Path) -> None:
        assert described(tmp_path, "a.pth", b"import os; os.system('true')\n").is_code
        assert not described(tmp_path, "b.pth", ORDINARY["weights.bin"]).is_code

    def test_in_layers_of_keras_is_found(self, tmp_path: Path) -> None:
        config = b'{"class_name": "Sequential", "layers": [{"class_name": "Lambda"}]}'
        with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
            archive.writestr("config.json", config)
            archive.writestr("model.weights.h5", b"\x89HDF")
        assert describe_model_file(tmp_path / "m.keras", "m.keras") == ModelFile("m.keras", "keras", is_code=True)
        assert described(tmp_path, "m.h5", b"\x89HDF\r\n" + bytes(2 << 20) + config).is_code
        assert not described(tmp_path, "n.h5", b"\x89HDF\r\n" + bytes(2 << 20)).is_code

    def test_in_an_archive_is_found(self, tmp_path: Path) -> None:
        path = write_skops(tmp_path / "model.skops", sitecustomize__py=b"")
        assert describe_model_file(path, "model.skops").is_code

    def test_a_graph_of_tensorflow_is_code(self, tmp_path: Path) -> None:
        assert described(tmp_path, "saved_model.pb", b"\x08\x01\x12\x02ab").is_code


def test_an_archive_that_would_swell_is_refused_by_its_directory(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.skops", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", bytes(1 << 20))
        archive.infolist()[0].file_size = 2 << 30
    with pytest.raises(TrustRefused, match=r"bomb.skops .* 2,147,483,648 bytes"):
        list_model_files(tmp_path)
