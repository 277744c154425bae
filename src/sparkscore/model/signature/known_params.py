"""Which params of a caller a model takes, where others are ignored as MLflow does. Runs on the driver."""

from collections.abc import Mapping
from typing import Any

from sparkscore.model.signature.mlflow_signature import Signature


def keep_known_params(signature: Signature, params: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The params that the signature has, in Python's own types, and what to warn of where it does not have all."""
    known = {name: _to_python_value(value) for name, value in params.items() if name in signature.params}
    unknown = [str(name) for name in params if name not in known]
    names = ", ".join(signature.params) or "none"
    text = f"params that the model's signature does not have are ignored: {', '.join(unknown)}; it has {names}"
    return known, (text,) if unknown else ()


def _to_python_value(value: Any) -> Any:
    """A value of numpy as Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return [_to_python_value(one) for one in value] if isinstance(value, list | tuple) else value
