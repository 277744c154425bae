"""Spark-native batch scoring: MLflow models over Delta tables, published exactly once.

Lazy, so that executors, which import modules of this package, never load what only the driver needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkscore.pipelines.score import score
    from sparkscore.scoring.udf import score_udf
    from sparkscore.settings import Settings

__version__ = "0.1.0"
__all__ = ["Settings", "__version__", "score", "score_udf"]

_HOMES = {
    "Settings": "sparkscore.settings",
    "score": "sparkscore.pipelines.score",
    "score_udf": "sparkscore.scoring.udf",
}


def __getattr__(name: str) -> Any:
    """The public name, imported when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sparkscore' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)
