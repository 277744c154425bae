# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
# ---

# %% [markdown]
# # Predictions as an analyst
#
# Who reads predictions needs no Spark: a Delta table is enough. Here three days of the same orders are published, with another model on the
# third; then everything is read with DuckDB, deltalake and `explain_key`.

# %%
import duckdb
import matplotlib.pyplot as plt
import pandas as pd
from deltalake import DeltaTable
from example_shop import Shop, make_orders

from sparkscore import build_query, explain_key, score

shop = Shop.open()
orders = make_orders(day=1, rows=400)
shop.register_model(make_orders(day=0))
settings = shop.settings(
    source={"where": [{"column": "distance_km", "op": "<", "value": 30}]}, model={"missing": {"rain_mm": "reject"}}
)
for day in (1, 2, 3):
    today = orders.assign(rain_mm=orders["rain_mm"] * day)
    today.loc[today["order_id"] == 1_000_007, "rain_mm"] = None if day == 2 else 1.0
    shop.write_orders(today)
    if day == 3:
        shop.register_model(make_orders(day=9))
    score(shop.spark, settings, as_of=f"2026-01-0{day}")

# %% [markdown]
# ## Queries
#
# `sparkscore sql`, or `build_query`, makes queries for Spark, Databricks, DuckDB and Trino. This is `movers` for DuckDB, over a dataset of pyarrow.

# %%
late_orders = DeltaTable(shop.path("late_orders")).to_pyarrow_dataset()
duckdb.sql(build_query(settings, "movers", dialect="duckdb")).df().head(5).round(3)

# %%
duckdb.sql(
    """
    SELECT as_of_date, region, count(*) AS orders, round(avg(prediction), 3) AS risk, sum(label) AS called_late
    FROM late_orders GROUP BY ALL ORDER BY as_of_date, region
    """
).df()

# %% [markdown]
# ## One key
#
# Every score of an order, by which model and from which source version.


# %%
def show_entries(found):
    return pd.DataFrame(
        {
            "as_of": entry.as_of[:10],
            "status": entry.status,
            "prediction": entry.values.get("prediction"),
            "model": entry.model and entry.model.version,
            "source": entry.source_version,
            "why": entry.reason or "",
        }
        for entry in found.entries
    ).round(3)


show_entries(explain_key(None, settings, {"order_id": 1_000_004}))

# %% [markdown]
# This one has no rain on the second day, so that it was rejected.

# %%
show_entries(explain_key(None, settings, {"order_id": 1_000_007}))

# %% [markdown]
# And this one is too far away: the job's filter leaves it out.

# %%
far = int(orders.loc[orders["distance_km"].idxmax(), "order_id"])
show_entries(explain_key(None, settings, {"order_id": far}))

# %% [markdown]
# ## A picture

# %%
history = duckdb.sql(
    "SELECT order_id, as_of_date, prediction FROM late_orders WHERE order_id < 1000012 ORDER BY ALL"
).df()
figure, axes = plt.subplots(figsize=(6, 2.8), layout="constrained")
for _, one in history.groupby("order_id"):
    axes.plot(one["as_of_date"].astype(str), one["prediction"], marker="o", linewidth=1)
axes.set(ylabel="probability to come late", title="Twelve orders over three days; a new model on the third")
