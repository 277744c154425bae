"""Which files an ONNX graph refers to, read from its bytes: without onnx, without protobuf, at any depth.

Light: executors look before they import anything. The graph's own weights are skipped, not read.
"""

import mmap
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TypeAlias, Union

from sparkscore.errors import TrustRefused

_Buffer: TypeAlias = Union["mmap.mmap", bytes]

_PARTS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
    "entry": {},
}
"""Of each message of ONNX the fields that can lead to a tensor whose values lie in another file."""
_MODEL_VERSION_FIELD, _MODEL_GRAPH_FIELD, _OPERATOR_FIELD = 1, 7, 4
_KEY_FIELD, _VALUE_FIELD = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_LEVELS = 200
_PLAIN_NUMBERS = re.compile(rb"(?:\x3d[\x00-\xff]{4}|\x40[\x80-\xff]{0,9}[\x00-\x7f])+")
"""Runs of an attribute's floats and integers: trees have millions of them."""


_Field: TypeAlias = tuple[int, int, int, int]
"""Number and wire type of a field, and where its value begins and ends."""


def is_onnx_model(path: Path) -> bool:
    """Whether a file is a model of ONNX: a message with a version and a graph, whole.

    Runs on: driver | executor.
    """
    try:
        with _open_buffer(path) as content:
            fields = list(_read_fields(content, 0, len(content), "model"))
    except ValueError:
        return False
    kinds = {(number, wire) for number, wire, _, _ in fields}
    return {(_MODEL_VERSION_FIELD, _VARINT), (_MODEL_GRAPH_FIELD, _BYTES)} <= kinds


def refuse_outside_weights(path: Path, folder: Path) -> tuple[str, ...]:
    """The files that a graph takes values from: relative to the model's folder, all of them inside it.

    Runs on: driver | executor.
    Raises:  TrustRefused for a file that is no graph, one outside the folder or missing, and a graph that was
             compiled for one device, which can name files of its own.
    """
    try:
        with _open_buffer(path) as content:
            found = list(_find_references(content))
    except ValueError as error:
        raise TrustRefused(
            f"{path.name} is no ONNX graph: {error}", "a graph in ONNX's own format", "log the model again"
        ) from error
    if "EPContext" in found:
        raise TrustRefused(
            f"{path.name} holds a node EPContext: it is compiled for one device",
            "a graph of ONNX's operators",
            "log the graph before it was compiled",
        )
    return tuple(_resolve_location(location.partition(":")[2], path, folder) for location in found)


def _resolve_location(location: str, path: Path, folder: Path) -> str:
    parts = PurePosixPath(location)
    target = path.parent / parts
    unsafe = parts.is_absolute() or ".." in parts.parts or any(sign in location for sign in "\\*\0")
    if unsafe or not parts.parts or target.is_symlink() or not target.is_file():
        raise TrustRefused(
            f"the ONNX graph {path.name} has weights outside the model's folder, or none where it says",
            "a graph whose files are all inside it",
            "log the model again, with save_as_external_data=True where it is large",
        )
    return target.relative_to(folder).as_posix()


def _find_references(content: _Buffer) -> Iterator[str]:
    """`location:…` for each tensor's file, and the name of an operator that matters."""
    pending = [("model", 0, len(content), 0)]
    while pending:
        kind, start, end, level = pending.pop()
        if level > _MAX_LEVELS:
            raise ValueError(f"it is nested more than {_MAX_LEVELS} levels")
        fields = _read_fields(content, start, end, kind)
        if kind == "entry":
            yield from _read_location(content, list(fields))
        for number, wire, begin, stop in fields:
            inner = _PARTS[kind].get(number)
            if inner is not None and wire == _BYTES:
                pending.append((inner, begin, stop, level + 1))
            elif kind == "node" and number == _OPERATOR_FIELD and content[begin:stop] == b"EPContext":
                yield "EPContext"


def _read_location(content: _Buffer, fields: list[_Field]) -> Iterator[str]:
    keys = [content[begin:stop] for number, _, begin, stop in fields if number == _KEY_FIELD]
    if b"location" in keys:
        values = [content[begin:stop] for number, _, begin, stop in fields if number == _VALUE_FIELD]
        yield from ("location:" + value.decode("utf-8") for value in values or [b""])


def _read_fields(content: _Buffer, start: int, end: int, kind: str) -> Iterator[_Field]:
    """The fields of one message; ValueError where it is none."""
    while start < end:
        if kind == "attribute" and (run := _PLAIN_NUMBERS.match(content, start, end)):
            start = run.end()
            continue
        tag, start = _read_varint(content, start, end, 5)
        number, wire = (tag & 0xFFFFFFFF) >> 3, tag & 7
        begin, start = _find_value(content, start, end, wire)
        if number == 0 or start > end:
            raise ValueError("a field is cut off")
        yield number, wire, begin, start


def _find_value(content: _Buffer, start: int, end: int, wire: int) -> tuple[int, int]:
    if wire == _VARINT:
        return start, _read_varint(content, start, end, 10)[1]
    if wire == _BYTES:
        size, start = _read_varint(content, start, end, 10)
        return start, start + size
    if wire in (_FIXED64, _FIXED32):
        return start, start + (8 if wire == _FIXED64 else 4)
    raise ValueError("it has a field of no known type")


def _read_varint(content: _Buffer, start: int, end: int, limit: int) -> tuple[int, int]:
    value = 0
    for position in range(start, min(end, start + limit)):
        byte = content[position]
        value |= (byte & 0x7F) << (7 * (position - start))
        if byte < 0x80:
            return value, position + 1
    raise ValueError("a number is cut off")


def _open_buffer(path: Path) -> "mmap.mmap":
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # an empty file: ValueError
