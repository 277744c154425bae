# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
# ---

# %% [markdown]
# # A first run
#
# A shop has a table of orders, and a model that says how likely an order comes late. A run reads one version of the table, predicts each
# row once, and publishes the predictions with one commit. Everything lies in a folder of its own, which can be thrown away.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import mlflow
import pandas as pd
from deltalake import DeltaTable, write_deltalake
from example_shop import make_orders, start_spark
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

from sparkscore import Settings, score

spark = start_spark()
home = Path(tempfile.mkdtemp(prefix="sparkscore-notebook-"))

# %% [markdown]
# ## The source
#
# Two thousand orders of a day. What becomes of them is not known yet.

# %%
orders = make_orders(day=1)
write_deltalake(home / "tables" / "orders", orders.drop(columns="late"))
orders.drop(columns="late").head(5).round(2)

# %% [markdown]
# ## The model
#
# Trained on the orders of another day, and registered in MLflow. The alias `champion` says which version is scored with.

# %%
mlflow.set_tracking_uri(f"sqlite:///{home}/mlflow.db")
mlflow.create_experiment("shop", artifact_location=str(home / "models"))
mlflow.set_experiment("shop")
known = make_orders(day=0)
inputs = known[["distance_km", "items", "rain_mm"]].astype(float)
model = LogisticRegression(max_iter=500).fit(inputs, known["late"])
info = mlflow.sklearn.log_model(
    model,
    name="late-orders",
    signature=infer_signature(inputs, model.predict_proba(inputs)),
    pyfunc_predict_fn="predict_proba",
    registered_model_name="late-orders",
    pip_requirements=[],
)
mlflow.MlflowClient().set_registered_model_alias("late-orders", "champion", info.registered_model_version)

# %% [markdown]
# ## The job
#
# The same keys as in a YAML file: what is read, which model, where predictions go.

# %%
settings = Settings(
    job="late-orders",
    home=str(home),
    source={"table": "orders", "keys": ["order_id"], "passthrough": ["region"]},
    model={"uri": "models:/late-orders@champion", "tracking_uri": mlflow.get_tracking_uri()},
    output={"table": "late_orders", "threshold": 0.5},
    monitor={"mlflow": False},
)
report = score(spark, settings, as_of="2026-01-01")
print(report.status, f"{report.rows_scored:,} rows, {report.rows_rejected} rejected, {report.model_loads} model loads")

# %% [markdown]
# The same call again does nothing: the logical time `2026-01-01` is published.

# %%
score(spark, settings, as_of="2026-01-01").status

# %% [markdown]
# ## The predictions
#
# A Delta table, one row per key and `as_of`. Each row says which model and which version of the source it is from.

# %%
rows = DeltaTable(home / "tables" / "late_orders").to_pandas()
rows[["order_id", "region", "prediction", "label", "model_version", "source_version", "as_of_date"]].head(5).round(3)

# %%
figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
axes.hist(rows["prediction"], bins=40, color="#3b6ea5")
axes.axvline(0.5, color="#b5482f")
axes.set(xlabel="probability to come late", ylabel="orders", title="2,000 predictions, and the threshold")

# %% [markdown]
# The model was not told what became of these orders. Now it is known: of those that were called late, so many were.

# %%
known_later = rows.merge(orders[["order_id", "late"]], on="order_id")
pd.crosstab(known_later["label"], known_later["late"])
