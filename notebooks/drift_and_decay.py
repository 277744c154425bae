# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
# ---

# %% [markdown]
# # Drift and decay
#
# Inputs change: it rains more from day to day. And the world changes: the distance says less and less about who comes late. Drift shows the first
# at once, without any truth. Only truths show the second, when they are known.

# %%
import matplotlib.pyplot as plt
from deltalake import DeltaTable
from example_shop import Shop, make_orders

from sparkscore import evaluate, score

shop = Shop.open()
shop.register_model(make_orders(day=0))
settings = shop.settings(
    labels={"table": "arrivals", "truth": "late"},
    drift={"baseline": "2026-01-01/2026-01-01"},
    performance={"alerts": {"brier": {"max": 0.25}}},
)
DAYS = 5
for day in range(1, DAYS + 1):
    orders = make_orders(day, rain=2.0 + 1.5 * max(0, day - 2), trend=0.045 * (day - 1))
    shop.write_orders(orders)
    shop.tell_truth(orders)
    report = score(shop.spark, settings, as_of=f"2026-01-0{day}")
    print(report.as_of[:10], report.status, "columns that drifted:", report.drifted)

# %% [markdown]
# ## Drift
#
# The table `…_drift` holds the distances of every column of every run from the first day. Above 0.25 the population stability index is called drift.

# %%
drift = DeltaTable(shop.path("late_orders_drift")).to_pandas()
first_day = drift[(drift["drift_type"] == "BASELINE") & drift["slice_key"].isna()]
psi = first_day.pivot_table(index="as_of_date", columns="column_name", values="population_stability_index")
psi.round(3).reset_index()

# %%
figure, axes = plt.subplots(figsize=(6, 2.8), layout="constrained")
for column in psi.columns:
    axes.plot(psi.index.astype(str), psi[column], marker="o", label=column)
axes.axhline(0.25, color="#b5482f", linewidth=1)
axes.set(ylabel="PSI", title="Distance from the first day")
axes.legend(fontsize=7)

# %% [markdown]
# ## Decay
#
# `evaluate` joins predictions and truths, window by window, and writes the table `…_performance`. The order of the orders stays about as good (the area
# under the ROC curve): rain says more now. But the probabilities are wrong: they are for a world in which the distance counted. The Brier score, the mean
# squared difference of probability and truth, grows, and its limit is broken.

# %%
evaluate(shop.spark, settings)
quality = DeltaTable(shop.path("late_orders_performance")).to_pandas()
quality = quality[quality["slice_key"].isna()].sort_values("as_of")
quality[["as_of_date", "model_version", "labelled_count", "roc_auc_score", "brier_score"]].round(3)

# %%
print(*quality["alerts"].explode().dropna(), sep="\n")
figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
axes.plot(quality["as_of_date"].astype(str), quality["brier_score"], marker="o", color="#3b6ea5")
axes.axhline(0.25, color="#b5482f", linewidth=1)
axes.set(ylabel="Brier score", title="Error of the probabilities by day, and the limit for an alert")
