"""Deletion vectors for tests that have no Spark: of few rows, in arrays."""

import base64
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

_Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_BASE85 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
TO_Z85 = bytes.maketrans(_BASE85, _Z85)


def inline_vector(rows: Sequence[int]) -> dict[str, Any]:
    """A descriptor as splits have it, of rows below 65,536."""
    found = np.array(sorted(rows), "<u2")
    bitmap = struct.pack("<IIHHI", 12346, 1, 0, len(found) - 1, 16) + found.tobytes()
    data = struct.pack("<iqI", 1681511377, 1, 0) + bitmap
    text = base64.b85encode(data, pad=True).translate(TO_Z85).decode()
    return {"path": None, "offset": 0, "inline": text, "size": len(data), "cardinality": len(found)}
