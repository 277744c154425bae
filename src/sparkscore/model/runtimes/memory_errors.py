"""Whether an error says that memory ran out, of the machine or of its GPU. Imports no library that may say so."""

import errno
import gc
import re
import sys
from contextlib import suppress

from sparkscore.model.runtimes.foreign_code import unwrap_foreign_error

_CLASS_NAMES = frozenset({"OutOfMemoryError", "ResourceExhaustedError"})
"""Of PyTorch and CuPy; of TensorFlow."""
_LIBRARIES = frozenset(
    {"_catboost", "catboost", "cupy", "jax", "jaxlib", "lightgbm", "onnxruntime", "tensorflow", "torch", "xgboost"}
)
"""Libraries that have no class for it: their messages say it."""
_MESSAGE = re.compile(
    r"out of memory|bad_alloc|bad allocation|alloc_failed|resource_exhausted|oom when allocating"
    r"|(?:failed to|can't|cannot|could not|unable to) allocate|not enough memory|is smaller than requested bytes",
    re.IGNORECASE,
)
_MAX_CAUSES = 4


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error, or what it was raised from, says that memory ran out.

    Runs on: executor.
    """
    current: BaseException | None = unwrap_foreign_error(error)
    for _ in range(_MAX_CAUSES):
        if current is None:
            return False
        if _says_out_of_memory(current):
            return True
        current = current.__cause__
    return False


def _says_out_of_memory(error: BaseException) -> bool:
    kind = type(error)
    if isinstance(error, MemoryError) or kind.__name__ in _CLASS_NAMES:
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    speaks_for_library = kind is RuntimeError or kind.__module__.partition(".")[0] in _LIBRARIES
    return speaks_for_library and _MESSAGE.search(str(error)) is not None


def release_cached_memory() -> None:
    """Give back what a failed batch has left: young objects in cycles, and the blocks that PyTorch keeps of a GPU.

    Runs on: executor, where the model is.
    """
    gc.collect(1)  # all of them take a tenth of a second with the libraries of most models
    torch = sys.modules.get("torch")
    if torch is not None:
        with suppress(Exception):  # a library in any state: the next batch shows whether there is room
            if torch.cuda.is_initialized():
                torch.cuda.empty_cache()
