"""The demo's model: inputs, target, pipeline, and the fingerprint that says whether to train again. No I/O.

A logistic regression over one-hot columns. On the same inputs gradient boosting was no better (ROC AUC on October to
December 0.689, against 0.690) and four times as slow to predict (82,609 flights, one thread), and skops does not load
its trees unless told to trust them.
"""

import hashlib
import inspect
import sys
from collections.abc import Mapping

import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, QuantileTransformer

CATEGORY_INPUTS: Mapping[str, str] = {
    "carrier": "string",
    "origin": "string",
    "dest": "string",
    "day_of_week": "long",
    "hour": "long",
}
"""Inputs taken as they are, with their MLflow types. The flights have no NULL in them."""

QUANTITY_INPUTS: Mapping[str, str] = {
    "distance": "long",
    "temp": "double",
    "dewp": "double",
    "humid": "double",
    "wind_speed": "double",
    "precip": "double",
    "pressure": "double",
    "visib": "double",
}
"""Inputs taken in ten steps. Weather has NULLs, which arrive as NaN: so double, also where values are whole."""

INPUTS: Mapping[str, str] = {**CATEGORY_INPUTS, **QUANTITY_INPUTS}
"""What the model is given, all of it known before departure. Not the month: October to December are not in training."""

LATE_MINUTES = 15
"""An arrival counts as late from this many minutes on, as for the US Department of Transportation."""

LAST_TRAINING_MONTH = 9
"""The model learns from January to September and is judged on October to December."""

_NUMPY_TYPES = {"string": "object", "long": "int64", "double": "float64"}


def flight_inputs(flights: pd.DataFrame) -> pd.DataFrame:
    """The model's inputs in the types of its signature, as numpy holds them.

    Needs:   the columns of `INPUTS`.
    """
    return flights[list(INPUTS)].astype({name: _NUMPY_TYPES[kind] for name, kind in INPUTS.items()})


def with_outcome(flights: pd.DataFrame) -> pd.DataFrame:
    """The flights that arrived where they were going; a cancelled or diverted one has no answer to learn from.

    Needs:   arr_delay.
    """
    return flights[flights["arr_delay"].notna()]


def training_flights(known: pd.DataFrame) -> pd.DataFrame:
    """The flights that the model learns from.

    Needs:   month.
    """
    return known[known["month"] <= LAST_TRAINING_MONTH]


def late_labels(flights: pd.DataFrame) -> pd.Series:
    """1 where the flight arrived late, else 0.

    Needs:   arr_delay, without NULL.
    """
    return (flights["arr_delay"] >= LATE_MINUTES).astype("int64")


def delay_pipeline() -> Pipeline:
    """The model, not trained: one-hot categories, and quantities in ten steps of equal share, a missing one in its own.

    Shapes:  (n, 13) frame -> predict_proba (n, 2) float64 in [0, 1]. The same row gives the same bits in any batch.
    """
    steps = make_pipeline(
        QuantileTransformer(n_quantiles=100, subsample=None),
        MinMaxScaler((0, 9)),
        FunctionTransformer(np.rint),
        _one_hot_encoder(),
    )
    columns = ColumnTransformer(
        [("categories", _one_hot_encoder(), list(CATEGORY_INPUTS)), ("steps", steps, list(QUANTITY_INPUTS))]
    )
    return Pipeline([("columns", columns), ("model", LogisticRegression(max_iter=300, random_state=0))])


def recipe_fingerprint(flights: pd.DataFrame) -> str:
    """sha256 over the rows, this file and sklearn's version: equal means that training again gives the same model.

    Needs:   the columns of `INPUTS`, month, arr_delay.
    """
    recipe = inspect.getsource(sys.modules[__name__]) + sklearn.__version__
    rows = pd.util.hash_pandas_object(flights[[*INPUTS, "month", "arr_delay"]], index=False)
    return hashlib.sha256(recipe.encode() + rows.to_numpy().tobytes()).hexdigest()


def _one_hot_encoder() -> OneHotEncoder:
    """Values that fewer than 50 flights have, and values never seen in training, share one column."""
    return OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=50)
