"""What the notebooks share: a session, a shop whose orders come late or not, and a model of that.

`first_run.py` shows the same step by step. Nothing of it is part of sparkscore.
"""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import structlog
from deltalake import write_deltalake
from mlflow import MlflowClient
from mlflow.models import infer_signature
from pyspark.sql import SparkSession
from sklearn.linear_model import LogisticRegression

from sparkscore import Settings

ROOT = Path(__file__).resolve().parents[1]
INPUTS = ["distance_km", "items", "rain_mm"]
MODEL = "late-orders"


def start_spark() -> SparkSession:
    """A local session as the jobs have it; log lines are left out."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    builder = SparkSession.builder.appName("notebook")
    for line in (ROOT / "conf" / "spark" / "local.conf").read_text().splitlines():
        if line.startswith("spark."):
            builder = builder.config(*line.split(maxsplit=1))
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def make_orders(day: int, *, rows: int = 2000, rain: float = 2.0, trend: float = 0.0) -> pd.DataFrame:
    """The orders of a day, and whether they came late. `trend`: how much less the distance says about that."""
    random = np.random.default_rng(day)
    orders = pd.DataFrame(
        {
            "order_id": np.arange(rows) + day * 1_000_000,
            "region": random.choice(["north", "south", "west"], rows),
            "distance_km": random.gamma(3.0, 4.0, rows),
            "items": random.integers(1, 9, rows).astype(float),
            "rain_mm": random.exponential(rain, rows),
        }
    )
    risk = (0.18 - trend) * orders["distance_km"] + 0.15 * orders["items"] + 0.25 * orders["rain_mm"] - 3.5
    return orders.assign(late=(random.random(rows) < 1 / (1 + np.exp(-risk))).astype(int))


@dataclass(frozen=True)
class Shop:
    """A home folder with the tables and the models of a shop."""

    spark: SparkSession
    home: Path

    @classmethod
    def open(cls) -> "Shop":
        """A new one, in a folder of its own."""
        home = Path(tempfile.mkdtemp(prefix="sparkscore-notebook-"))
        mlflow.set_tracking_uri(f"sqlite:///{home}/mlflow.db")
        mlflow.create_experiment("shop", artifact_location=str(home / "models"))
        mlflow.set_experiment("shop")
        return cls(start_spark(), home)

    def path(self, table: str) -> str:
        """Where a table lies."""
        return str(self.home / "tables" / table)

    def write_orders(self, orders: pd.DataFrame) -> None:
        """One more version of the source: the orders, without what is not known yet."""
        write_deltalake(self.path("orders"), orders.drop(columns="late"), mode="overwrite")

    def tell_truth(self, orders: pd.DataFrame) -> None:
        """What has become of orders."""
        write_deltalake(self.path("arrivals"), orders[["order_id", "late"]], mode="append")

    def register_model(self, orders: pd.DataFrame, *, inputs: list[str] | None = None, alias: str = "champion") -> str:
        """Train a model on orders, register it, and give it an alias; its version."""
        used = inputs or INPUTS
        columns = orders[used].astype(float)
        model = LogisticRegression(max_iter=500).fit(columns, orders["late"])
        info = mlflow.sklearn.log_model(
            model,
            name=MODEL,
            signature=infer_signature(columns, model.predict_proba(columns)),
            pyfunc_predict_fn="predict_proba",
            registered_model_name=MODEL,
            pip_requirements=[],
        )
        version = str(info.registered_model_version)
        MlflowClient().set_registered_model_alias(MODEL, alias, version)
        return version

    def settings(self, **groups: Any) -> Settings:
        """The job's settings; the groups are merged over them."""
        values: dict[str, Any] = {
            "job": "late-orders",
            "home": str(self.home),
            "source": {"table": "orders", "keys": ["order_id"], "passthrough": ["region"]},
            "model": {"uri": f"models:/{MODEL}@champion", "tracking_uri": mlflow.get_tracking_uri()},
            "output": {"table": "late_orders", "threshold": 0.5},
            "monitor": {"mlflow": False},
        }
        for name, given in groups.items():
            values[name] = {**values.get(name, {}), **given} if isinstance(given, dict) else given
        return Settings(**values)
