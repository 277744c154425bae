from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sparkscore.errors import TrustRefused
from sparkscore.model.trust import onnx_references
from sparkscore.model.trust.onnx_references import is_onnx_model, refuse_outside_weights

onnx = pytest.importorskip("onnx")
helper = onnx.helper


def external(location: str, name: str = "w") -> Any:
    """A tensor whose values lie in another file."""
    tensor = onnx.TensorProto(name=name, data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def constant(location: str) -> Any:
    return helper.make_node("Constant", [], ["c"], value=external(location))


def in_graph(nodes: Any = (), weights: Any = (), sparse: Any = ()) -> Any:
    x, y = (helper.make_tensor_value_info(name, 1, [None]) for name in "xy")
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node, *nodes], "g", [x], [y], initializer=list(weights))
    graph.sparse_initializer.extend(sparse)
    return graph


def branch(inner: Any) -> Any:
    return helper.make_node("If", ["x"], ["b"], then_branch=inner, else_branch=in_graph())


def deep(location: str, levels: int) -> Any:
    graph = in_graph([constant(location)])
    for _ in range(levels):
        graph = in_graph([branch(graph)])
    return helper.make_model(graph)


def sparse_of(location: str) -> Any:
    return onnx.SparseTensorProto(values=external(location), indices=external("i"), dims=[1])


def function_of(location: str) -> Any:
    model = helper.make_model(in_graph())
    model.functions.append(helper.make_function("own", "f", ["a"], ["c"], [constant(location)], []))
    return model


def training_of(location: str) -> Any:
    model = helper.make_model(in_graph())
    model.training_info.add(algorithm=in_graph(weights=[external(location)]))
    return model


def list_of(location: str) -> Any:
    node = helper.make_node("Own", ["x"], ["c"])
    node.attribute.add(name="many", type=onnx.AttributeProto.TENSORS, tensors=[external(location)])
    node.attribute.add(name="graphs", type=onnx.AttributeProto.GRAPHS, graphs=[in_graph()])
    return helper.make_model(in_graph([node]))


def default_of(location: str) -> Any:
    model = function_of("w.bin")
    model.functions[0].attribute_proto.add(name="d", type=onnx.AttributeProto.TENSOR, t=external(location))
    return model


PLACES: dict[str, Callable[[str], Any]] = {
    "initializer": lambda location: helper.make_model(in_graph(weights=[external(location)])),
    "sparse initializer": lambda location: helper.make_model(in_graph(sparse=[sparse_of(location)])),
    "constant": lambda location: helper.make_model(in_graph([constant(location)])),
    "sparse constant": lambda location: helper.make_model(
        in_graph([helper.make_node("Constant", [], ["c"], sparse_value=sparse_of(location))])
    ),
    "subgraph": lambda location: helper.make_model(in_graph([branch(in_graph(weights=[external(location)]))])),
    "subgraph of a subgraph": lambda location: deep(location, 5),
    "function": function_of,
    "default of a function": default_of,
    "training": training_of,
    "list of tensors": list_of,
}


def written(folder: Path, model: Any) -> Path:
    """The graph in a model's folder, with the one file beside it that it may use."""
    data = folder / "model" / "data"
    data.mkdir(parents=True)
    for name in ("w.bin", "i"):
        (data / name).write_bytes(bytes(16))
    (data / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "outside").write_bytes(bytes(16))
    return data / "model.onnx"


class TestWeights:
    @pytest.mark.parametrize("place", PLACES)
    def test_inside_the_folder_are_found_wherever_the_graph_names_them(self, tmp_path: Path, place: str) -> None:
        path = written(tmp_path, PLACES[place]("w.bin"))
        assert "data/w.bin" in refuse_outside_weights(path, tmp_path / "model")

    @pytest.mark.parametrize("location", ["../../outside", "/etc/hostname", "..\\outside", "missing", ""])
    @pytest.mark.parametrize("place", PLACES)
    def test_outside_are_refused_wherever_the_graph_names_them(self, tmp_path: Path, place: str, location: str) -> None:
        path = written(tmp_path, PLACES[place](location))
        with pytest.raises(TrustRefused, match="weights outside the model's folder"):
            refuse_outside_weights(path, tmp_path / "model")

    def test_an_address_in_memory_is_refused(self, tmp_path: Path) -> None:
        path = written(tmp_path, PLACES["constant"]("*/_ORT_MEM_ADDR_/*"))
        memory = path.parent / "*" / "_ORT_MEM_ADDR_"
        memory.mkdir(parents=True)
        (memory / "*").write_bytes(bytes(8))
        with pytest.raises(TrustRefused):
            refuse_outside_weights(path, tmp_path / "model")

    def test_a_link_is_refused(self, tmp_path: Path) -> None:
        path = written(tmp_path, PLACES["initializer"]("link"))
        (path.parent / "link").symlink_to(tmp_path / "outside")
        with pytest.raises(TrustRefused):
            refuse_outside_weights(path, tmp_path / "model")


class TestGraphs:
    def test_are_told_from_other_files(self, tmp_path: Path) -> None:
        assert is_onnx_model(written(tmp_path, helper.make_model(in_graph())))
        for name, content in (("a", b""), ("b", b"{}"), ("c", b"ORTM" * 9), ("d", b"\x08\x01\x12\x02ab")):
            (tmp_path / name).write_bytes(content)
            assert not is_onnx_model(tmp_path / name)

    @pytest.mark.parametrize("content", [b"", b"\x08", b"\x08\x09\x3a\xff\x01", b"\x1c\x00\x00\x00ORTM", b"\x0b\x0c"])
    def test_that_cannot_be_read_are_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "model.onnx").write_bytes(content)
        with pytest.raises(TrustRefused, match="is no ONNX graph"):
            refuse_outside_weights(tmp_path / "model.onnx", tmp_path)

    def test_nested_without_end_are_refused_without_recursion(self, tmp_path: Path) -> None:
        body = b""
        for _ in range(400):  # node -> attribute -> graph -> node …
            for tag in (b"\x32", b"\x2a", b"\x0a"):
                size = len(body)
                body = tag + bytes([size & 0x7F | 0x80, (size >> 7) & 0x7F | 0x80, size >> 14]) + body
        size = len(body)
        header = b"\x08\x09\x3a" + bytes([size & 0x7F | 0x80, (size >> 7) & 0x7F | 0x80, size >> 14])
        (tmp_path / "m.onnx").write_bytes(header + body)
        with pytest.raises(TrustRefused, match="nested more than"):
            refuse_outside_weights(tmp_path / "m.onnx", tmp_path)

    def test_that_are_compiled_for_a_device_are_refused(self, tmp_path: Path) -> None:
        node = helper.make_node("EPContext", ["x"], ["c"], domain="com.microsoft", ep_cache_context=b"../../outside")
        with pytest.raises(TrustRefused, match="EPContext"):
            refuse_outside_weights(written(tmp_path, helper.make_model(in_graph([node]))), tmp_path / "model")

    def test_of_many_trees_are_not_read_number_by_number(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        node = helper.make_node("Trees", ["x"], ["c"], a=[1.5] * 20_000, b=[*range(20_000)])
        path = written(tmp_path, helper.make_model(in_graph([node, constant("../../outside")])))
        read, starts = onnx_references._read_varint, list[int]()

        def count(content: bytes, start: int, end: int, limit: int) -> tuple[int, int]:
            starts.append(start)
            return read(content, start, end, limit)

        monkeypatch.setattr(onnx_references, "_read_varint", count)
        with pytest.raises(TrustRefused, match="outside"):
            refuse_outside_weights(path, tmp_path / "model")
        assert len(starts) < 1000
