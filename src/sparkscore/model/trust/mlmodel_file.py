"""Reads and checks an MLmodel file before anything of the model is imported."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sparkscore.errors import ModelError, TrustRefused
from sparkscore.model.trust.flavor_paths import refuse_outside_paths
from sparkscore.model.trust.signature_limits import check_signature_limits
from sparkscore.records import WARNING_POLICY, TrustPolicy
from sparkscore.settings.strict_yaml import load_yaml
from sparkscore.settings.yaml_survey import RefusedYaml

TRUSTED_LOADERS = frozenset(
    {
        "mlflow.catboost",
        "mlflow.keras.load",
        "mlflow.lightgbm",
        "mlflow.onnx",
        "mlflow.paddle",
        "mlflow.pmdarima",
        "mlflow.prophet",
        "mlflow.pyfunc.loaders.code_model",
        "mlflow.pyfunc.model",
        "mlflow.pytorch",
        "mlflow.sentence_transformers",
        "mlflow.sklearn",
        "mlflow.spacy",
        "mlflow.statsmodels",
        "mlflow.tensorflow",
        "mlflow.transformers",
        "mlflow.xgboost",
        "sparkscore.workloads.embeddings.embedding_model",
        "sparkscore.workloads.endpoints.endpoint_model",
        "sparkscore.workloads.engines.engine_model",
        "sparkscore.workloads.forecasts.forecast_model",
        "sparkscore.workloads.images.image_model",
        "sparkscore.workloads.recommendations.recommender_model",
    }
)
"""Modules that may load a model: MLflow's own, and those of the workloads, which read data alone. A loader_module is
imported by name, so any other could be anything."""
_OWN_LOADERS = "sparkscore.workloads."
"""What begins the names of those of the suite."""

_SPARK_LOADER = "mlflow.spark"
_PYFUNC = "python_function"
_MAX_BYTES = 16 << 20
_MAX_WANTED_ROWS = 10_000_000


def read_mlmodel(folder: str | Path, trust: TrustPolicy = WARNING_POLICY) -> Mapping[str, Any]:
    """The MLmodel file of a model's folder, judged: its loader is a known one, its paths stay in the folder, and its
    signature exhausts nobody.

    Runs on: driver | executor.
    Raises:  ModelError, also for a model that needs a JVM; TrustRefused, SignatureError.
    """
    content = _load_mlmodel(Path(folder) / "MLmodel")
    flavors = content.get("flavors") if isinstance(content, dict) else None
    if not isinstance(flavors, dict) or not isinstance(flavors.get(_PYFUNC), dict):
        raise ModelError(
            "the MLmodel file has no flavour python_function",
            "a model that MLflow can load as a function",
            "log it with a flavour of MLflow",
        )
    _refuse_spark_model(flavors[_PYFUNC].get("loader_module"))
    _check_loader_module(flavors[_PYFUNC].get("loader_module"), trust)
    refuse_outside_paths(content)
    check_signature_limits(content)
    return content  # type: ignore[no-any-return]


def is_own_loader(mlmodel: Mapping[str, Any]) -> bool:
    """Whether a module of the suite loads the model."""
    return str(mlmodel["flavors"][_PYFUNC].get("loader_module")).startswith(_OWN_LOADERS)


def read_wanted_rows(mlmodel: Mapping[str, Any]) -> int | None:
    """How many rows the model wants at once, by its metadata (`{"sparkscore": {"batch_rows": 4096}}`); None: as it is.

    Raises:  ModelError for what is no number of rows.
    """
    rows = _read_own_metadata(mlmodel).get("batch_rows")
    if rows is None or (isinstance(rows, int) and not isinstance(rows, bool) and 1 <= rows <= _MAX_WANTED_ROWS):
        return rows
    raise ModelError(
        f"the model's metadata says sparkscore.batch_rows: {rows!r:.80}",
        f"a whole number from 1 to {_MAX_WANTED_ROWS:,}",
        'log the model again, with metadata={"sparkscore": {"batch_rows": 4096}}, say',
    )


def needs_executor_residency(mlmodel: Mapping[str, Any]) -> bool:
    """Whether the model's metadata asks for one per executor (`{"sparkscore": {"residency": "executor"}}`)."""
    return bool(_read_own_metadata(mlmodel).get("residency") == "executor")


def _read_own_metadata(mlmodel: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = mlmodel.get("metadata")
    own = metadata.get("sparkscore") if isinstance(metadata, Mapping) else None
    return own if isinstance(own, Mapping) else {}


def _load_mlmodel(path: Path) -> Any:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(
                f"the MLmodel file has {path.stat().st_size:,} bytes", f"at most {_MAX_BYTES:,}", "log the model again"
            )
        return load_yaml(path.read_text(encoding="utf-8"))
    except RefusedYaml as refused:
        raise ModelError(
            f"the MLmodel file of the model: {refused.found}", refused.expected, "log the model again"
        ) from refused
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelError(
            f"no readable MLmodel file in the model: {type(error).__name__}",
            "a model logged by MLflow",
            "log the model again",
        ) from error


def _refuse_spark_model(loader: object) -> None:
    """No setting allows these: a Python worker has no JVM, and MLflow would start a Spark in each of them."""
    if loader == _SPARK_LOADER:
        raise ModelError(
            f"the model is one of Spark ML ({loader}), which runs in a JVM",
            "a model that runs in Python: executors score in Python workers, which have none",
            "score it with Spark itself (mlflow.spark.load_model(uri).transform(frame)), or convert it to ONNX"
            " (onnxmltools.convert_sparkml) and log it with mlflow.onnx",
        )


def _check_loader_module(loader: object, trust: TrustPolicy) -> None:
    allowed = TRUSTED_LOADERS if trust.loaders is None else trust.loaders
    if isinstance(loader, str) and loader in allowed:
        return
    if isinstance(loader, str) and loader in TRUSTED_LOADERS:
        raise TrustRefused(
            f"the model's MLmodel file names the loader module {loader!r}, which model.trust does not allow",
            f"one of {', '.join(sorted(allowed))}",
            "log the model with one of these, or list it in model.trust.loaders",
        )
    raise TrustRefused(
        f"the model's MLmodel file names the loader module {loader!r}, which is not MLflow's own",
        f"one of {', '.join(sorted(allowed))}",
        "log the model with one of MLflow's flavours, or as mlflow.pyfunc.PythonModel; or list the module in"
        " model.trust.loaders if you trust it",
    )
