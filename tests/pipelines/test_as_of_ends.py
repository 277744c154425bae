"""The first and the last times that a run may stand for: published, found again, monitored, checked and kept."""

from deltalake import DeltaTable

from sparkscore import check_sla, maintain, score
from tests.world import World

ENDS = ("1678-01-01", "2261-12-31T23:59:59.999999Z")


def test_a_run_at_the_ends_of_time_is_published_once_and_other_readers_hold_it(world: World) -> None:
    settings = world.settings(
        sla={"every_hours": 8_760_000, "published_within_hours": 8_760_000},
        drift={"min_rows": 1, "baseline": "0001-01-01/9999-12-31"},
        output={"retention_days": 365_000},
        monitor={"report": True, "mlflow": False},
        profile={"rows": "all"},
    )
    for as_of in ENDS:
        assert score(world.spark, settings, as_of=as_of).status == "published"
    assert score(world.spark, settings, as_of=ENDS[-1]).status == "already_published"
    seen = world.table().groupBy("as_of_date").count().orderBy("as_of_date").collect()
    assert [(str(row["as_of_date"]), row["count"]) for row in seen] == [(as_of[:10], 60) for as_of in ENDS]
    plain = DeltaTable(world.path("predictions")).to_pyarrow_table(columns=["as_of"])["as_of"]
    assert {moment.isoformat()[:19] for moment in plain.to_pylist()} == {
        "1678-01-01T00:00:00",
        "2261-12-31T23:59:59",
    }
    assert all(rule.kept for rule in check_sla(world.spark, settings))
    assert maintain(world.spark, settings).as_of_expired == 0
