# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
# ---

# %% [markdown]
# # Champion and challenger
#
# The published model knows the distance alone. A challenger that also knows the rain scores the same rows, in the same pass, for a table that no
# reader of the predictions sees. Once truths are known it may take over.

# %%
import matplotlib.pyplot as plt
import mlflow
import pandas as pd
from deltalake import DeltaTable
from example_shop import MODEL, Shop, make_orders

from sparkscore import compare, score

shop = Shop.open()
shop.register_model(make_orders(day=0), inputs=["distance_km"])
shop.register_model(make_orders(day=0), alias="challenger")
settings = shop.settings(
    challengers=[{"uri": f"models:/{MODEL}@challenger"}],
    labels={"table": "arrivals", "truth": "late"},
    promotion={"metric": "roc_auc", "min_gain": 0.01, "min_rows": 1000},
)
orders = make_orders(day=1)
shop.write_orders(orders)
report = score(shop.spark, settings, as_of="2026-01-01")
print(report.status, [(one.status, one.model.version, one.rows) for one in report.challengers])

# %% [markdown]
# ## Side by side

# %%
champion = DeltaTable(shop.path("late_orders")).to_pandas()
challenger = DeltaTable(shop.path("late_orders_challengers")).to_pandas()
both = champion.merge(challenger, on="order_id", suffixes=("_champion", "_challenger"))
figure, axes = plt.subplots(figsize=(4.2, 4), layout="constrained")
axes.scatter(both["prediction_champion"], both["prediction_challenger"], s=4, alpha=0.4, color="#3b6ea5")
axes.plot([0, 1], [0, 1], color="#b5482f", linewidth=1)
axes.set(xlabel="champion", ylabel="challenger", title="The same orders")

# %% [markdown]
# ## Once the truth is known
#
# `compare` sums over the rows that both have predicted. With `promote` it moves the alias where every rule of the config holds.

# %%
shop.tell_truth(orders)
result = compare(shop.spark, settings, as_of="2026-01-01", promote=True)
print(result.status)
pd.DataFrame({"rule": rule.rule, "held": rule.held} for rule in result.promotion.rules)

# %%
pd.DataFrame(
    {"metric": gain.metric, "champion": gain.champion, "challenger": gain.challenger, "gain": gain.gain}
    for gain in result.quality
).round(3)

# %% [markdown]
# From the next run on the other version is the champion.

# %%
mlflow.MlflowClient().get_model_version_by_alias(MODEL, "champion").version
