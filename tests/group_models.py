"""Many tiny models in a registry: one per store, each predicts its own slope times x."""

import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import mlflow.sklearn
import numpy as np
import pandas as pd
import skops.io
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

ALIAS = "champion"


def line(slope: float) -> LinearRegression:
    """A model whose prediction is `slope * x`."""
    return LinearRegression(fit_intercept=False).fit(pd.DataFrame({"x": [1.0, 2.0]}), np.array([slope, 2 * slope]))


def save_lines(folder: Path, slopes: Iterable[float]) -> list[Path]:
    """The files of such models, as MLflow logs them: the first is saved by it, the others copied with other numbers."""
    first = folder / "first"
    model = line(0.5)
    frame = pd.DataFrame({"x": [1.0]})
    mlflow.sklearn.save_model(
        model,
        str(first),
        signature=infer_signature(frame, model.predict(frame)),
        pip_requirements=[],
        serialization_format="skops",
    )
    saved = []
    for number, slope in enumerate(slopes):
        target = folder / f"line-{number}"
        shutil.copytree(first, target)
        (file,) = target.glob("*.skops")
        skops.io.dump(line(slope), file)
        saved.append(target)
    return saved


def register_thousands(uri: str, names: Sequence[str], folders: Sequence[Path]) -> None:
    """The same for many: the first through MLflow, the others as rows like its rows, a thousand times as fast."""
    register_lines(uri, names[:1], folders[:1])
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as database, database:
        for table in ("registered_models", "model_versions", "registered_model_aliases"):
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            first = database.execute(f"SELECT * FROM {table} WHERE name = ?", names[:1]).fetchone()  # noqa: S608
            rows = [_row_of_copy(columns, first, *one) for one in zip(names[1:], folders[1:], strict=True)]
            places = ", ".join("?" * len(columns))
            database.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608


def _row_of_copy(columns: Sequence[str], first: Sequence[object], name: str, folder: Path) -> list[object]:
    own = {"name": name, "source": str(folder), "storage_location": str(folder)}
    return [own.get(column, value) for column, value in zip(columns, first, strict=True)]


def register_lines(uri: str, names: Sequence[str], folders: Sequence[Path]) -> MlflowClient:
    """Register one version of each, with the alias champion."""
    client = MlflowClient(uri, registry_uri=uri)
    for name, folder in zip(names, folders, strict=True):
        client.create_registered_model(name)
        version = client.create_model_version(name, str(folder))
        client.set_registered_model_alias(name, ALIAS, version.version)
    return client
