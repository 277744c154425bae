"""Run in an environment of Feast's own: what its Spark offline store reads of a feature table, as JSON on stdout.

python -m tests.workloads.reasons.feast_reader TABLE REPOSITORY ENTITIES.json
"""

import sys
from datetime import timedelta
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, RepoConfig
from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource
from feast.table_format import DeltaFormat
from feast.types import Float64
from feast.value_type import ValueType

from tests.small_session import start_small_session


def main(table: str, repository: str, entities: str) -> None:
    """The prediction of each entity as of its time."""
    spark = start_small_session("feast", master="local[1]")
    config = RepoConfig(
        project="sparkscore",
        provider="local",
        registry=str(Path(repository, "registry.db")),
        offline_store={"type": "spark", "spark_conf": {}},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    flight = Entity(name="flight", join_keys=["id"], value_type=ValueType.INT64)
    source = SparkSource(
        name="late_features",
        path=table,
        table_format=DeltaFormat(),
        timestamp_field="valid_from",
        created_timestamp_column="scored_at",
    )
    view = FeatureView(
        name="late",
        entities=[flight],
        ttl=timedelta(days=3650),
        schema=[Field(name="prediction", dtype=Float64)],
        source=source,
        online=False,
    )
    store.apply([flight, view])
    frame = pd.read_json(entities)
    frame["event_timestamp"] = pd.to_datetime(frame["event_timestamp"], utc=True)
    found = store.get_historical_features(entity_df=frame, features=["late:prediction"]).to_df()
    rows = found[["id", "event_timestamp", "prediction"]]
    print(rows.to_json(orient="records", date_format="iso", double_precision=15))  # noqa: T201
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
