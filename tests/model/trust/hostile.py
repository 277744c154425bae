"""Models that would do harm if they were loaded, written by hand: nothing here needs MLflow, or is ever executed."""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SKLEARN = {"pickled_model": "model.skops", "serialization_format": "skops", "skops_trusted_types": None, "code": None}


class Touches:
    """Unpickled, it makes a file: the sentinel that no test may find."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.sentinel,)


def mlmodel(pyfunc: Mapping[str, Any] | None = None, **flavors: Any) -> dict[str, Any]:
    """What an MLmodel file of scikit-learn's flavour says, or of others."""
    function = {"loader_module": "mlflow.sklearn", "model_path": "model.skops", "predict_fn": "predict"}
    return {"flavors": {"python_function": {**function, **(pyfunc or {})}, **(flavors or {"sklearn": SKLEARN})}}


def write_model(folder: Path, content: object, **files: bytes | str) -> Path:
    """A model's folder; a file's name has two underscores for a dot, and three for a slash."""
    folder.mkdir(exist_ok=True)
    (folder / "MLmodel").write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    for name, data in files.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def write_skops(path: Path, **members: bytes) -> Path:
    """What skops would write, as far as its content is looked at."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", '{"__class__": "LogisticRegression", "__module__": "sklearn"}')
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return path


def harmful_pickle(sentinel: Path, protocol: int = 4) -> bytes:
    """A pickle that touches a file when it is loaded."""
    return pickle.dumps(Touches(sentinel), protocol)
