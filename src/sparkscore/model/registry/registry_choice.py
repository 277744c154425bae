"""Which registry has a model: its URI says so."""

from sparkscore.model.registry.mlflow_registry import MlflowRegistry
from sparkscore.model.registry.model_registry import ModelRegistry
from sparkscore.model.registry.model_uri import LoggedModelUri, ModelUri
from sparkscore.model.registry.vertex_registry import VertexRegistry


def open_model_registry(model: ModelUri | LoggedModelUri, tracking_uri: str | None) -> ModelRegistry:
    """Vertex AI for `vertex://…`, else MLflow at its tracking URI.

    Runs on: driver.
    Raises:  as `open_registry`, and for Vertex AI ModuleNotFoundError without the extra vertex.
    """
    if isinstance(model, ModelUri) and model.is_vertex:
        return VertexRegistry.open(model)
    return MlflowRegistry.open(tracking_uri)
