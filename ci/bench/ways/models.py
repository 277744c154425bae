"""What the contenders without Spark load: MLflow's pyfunc, or onnxruntime itself with one thread."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


class Onnx:
    """onnxruntime with one thread, on columns."""

    def __init__(self, path: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        file = str(next(Path(path).glob("*.onnx")))
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def __call__(self, columns: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        """The positive class's probabilities."""
        rows = np.empty((len(columns[0]), len(columns)), np.float32)
        for place, column in enumerate(columns):
            rows[:, place] = column
        result: npt.NDArray[np.float32] = self._session.run(None, {"features": rows})[0].reshape(-1)
        return result


class Pyfunc:
    """MLflow's function for a scikit-learn model, on a frame; as many threads as the library takes."""

    def __init__(self, path: str) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow.pyfunc

        self._model = mlflow.pyfunc.load_model(path)

    def __call__(self, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The positive class's probabilities."""
        result: npt.NDArray[np.float64] = self._model.predict(frame)[:, 1]
        return result
