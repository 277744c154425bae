"""A small pipeline like the ones that people have: text, integers, doubles with holes."""

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

_DRAW = np.random.default_rng(0)
FLIGHTS = pd.DataFrame(
    {
        "carrier": _DRAW.choice(["AA", "UA", "DL"], 500),
        "hour": _DRAW.integers(0, 24, 500),
        "distance": np.where(_DRAW.random(500) < 0.1, np.nan, _DRAW.normal(1000, 300, 500)),
    }
)


def pipeline() -> Pipeline:
    """A trained classifier over `FLIGHTS`."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    features = ColumnTransformer([("text", OneHotEncoder(), ["carrier"]), ("numbers", numbers, ["hour", "distance"])])
    late = (FLIGHTS["hour"] + 3 * (FLIGHTS["carrier"] == "UA") > 14).astype("int64")
    return Pipeline([("features", features), ("model", LogisticRegression())]).fit(FLIGHTS, late)
