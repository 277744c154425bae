"""Saves a graph as a model of MLflow, with the signature of the model that it was made of."""

from pathlib import Path
from typing import Any

from sparkscore.model.registry.mlflow_settings import suppress_mlflow_output


def save_candidate_folder(graph: Any, parent_folder: str | Path, folder: Path, *, mlflow_model: Any = None) -> None:
    """The folder as MLflow's flavour for ONNX has it, its graph in one file.

    Needs:   the graph, or its file. Nothing of the parent is loaded: its signature and its description are read.
    """
    with suppress_mlflow_output():
        import mlflow.onnx
        import onnx
        from mlflow.models import Model

        requirements = [f"{name}=={_find_version(name)}" for name in ("mlflow", "onnx", "onnxruntime", "numpy")]
        mlflow.onnx.save_model(
            onnx.load(str(graph)) if isinstance(graph, Path) else graph,
            str(folder),
            mlflow_model=mlflow_model,
            signature=Model.load(str(parent_folder)).signature,
            pip_requirements=requirements,
            save_as_external_data=False,
            onnx_execution_providers=["CPUExecutionProvider"],
        )


def _find_version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    for one in (name, f"{name}-gpu", f"{name}-skinny"):
        try:
            return version(one)
        except PackageNotFoundError:
            continue
    return "0"
