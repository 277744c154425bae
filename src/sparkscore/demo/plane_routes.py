"""The example of recommendations: destinations for planes, from where they flew in 2013.

  python -m sparkscore.demo.plane_routes --home .sparkscore

writes the table `plane_vectors` (a plane, its vector, the destinations that it knows) and registers the model
`plane-routes`, whose items are the destinations. The vectors are the leading singular vectors of the matrix of
log(1 + flights) of planes and destinations.
"""

import sys
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa

from sparkscore.demo.example_jobs import parse_home, write_example_job
from sparkscore.demo.flights import load_tables

TABLE, MODEL = "plane_vectors", "plane-routes"
WIDTH = 16
"""Numbers of a vector."""


def build_plane_vectors(flights: pd.DataFrame, width: int = WIDTH) -> tuple[pa.Table, pa.Table]:
    """Users and items.

    Needs:   flights: tailnum, dest, origin.
    Grain:   users: one row per tailnum; items: one row per dest.
    """
    known = flights.dropna(subset=["tailnum"])
    counts = known.groupby(["tailnum", "dest"]).size().unstack(fill_value=0).sort_index()
    left, values, right = np.linalg.svd(np.log1p(counts.to_numpy(float)), full_matrices=False)
    scale = np.sqrt(values[:width])
    destinations = np.array(counts.columns, object)
    flown = counts.to_numpy() > 0
    users = pa.table(
        {
            "tailnum": pa.array(counts.index, pa.string()),
            "vector": pa.array((left[:, :width] * scale).tolist(), pa.list_(pa.float64())),
            "flown": pa.array([destinations[row].tolist() for row in flown], pa.list_(pa.string())),
        }
    )
    items = pa.table(
        {
            "item": pa.array(destinations, pa.string()),
            "vector": pa.array((right[:width].T * scale).tolist(), pa.list_(pa.float64())),
            "flights": pa.array(counts.sum().to_numpy(), pa.int64()),
        }
    )
    return users, items


def write_route_example(arguments: Sequence[str]) -> None:
    """Write the table and register the model, below the home folder."""
    from sparkscore.workloads.recommendations.recommender_saving import log_recommender

    home = parse_home(arguments, __doc__)
    users, items = build_plane_vectors(load_tables().flights)
    options = {"count": 5, "seen": "flown", "popularity": "flights", "memory_bytes": 16 << 20}
    log = partial(log_recommender, "model", items, registered_model_name=MODEL, **options)
    write_example_job(home, TABLE, users, MODEL, log)


if __name__ == "__main__":
    write_route_example(sys.argv[1:])
