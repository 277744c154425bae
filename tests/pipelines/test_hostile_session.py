"""A whole run in a session whose owner has set all that steers how Delta writes: the tables are as in any other."""

from deltalake import DeltaTable

from sparkscore import score
from tests.world import AS_OF, World, assert_published, source_rows

DELTA = "spark.databricks.delta."
HOSTILE = {
    f"{DELTA}write.txnAppId": "nightly",
    f"{DELTA}write.txnVersion": "7",
    f"{DELTA}commitInfo.userMetadata": "the caller's",
    f"{DELTA}properties.defaults.enableDeletionVectors": "true",
    f"{DELTA}properties.defaults.columnMapping.mode": "name",
    f"{DELTA}properties.defaults.appendOnly": "true",
    f"{DELTA}properties.defaults.enableChangeDataFeed": "true",
    f"{DELTA}properties.defaults.logRetentionDuration": "interval 1 hours",
    f"{DELTA}optimizeWrite.enabled": "true",
    f"{DELTA}autoCompact.enabled": "true",
    f"{DELTA}autoCompact.minNumFiles": "2",
    f"{DELTA}schema.autoMerge.enabled": "true",
    f"{DELTA}merge.materializeSource": "none",
    f"{DELTA}merge.optimizeInsertOnlyMerge.enabled": "false",
    f"{DELTA}commitValidation.enabled": "false",
    f"{DELTA}stats.collect": "false",
    f"{DELTA}stalenessLimit": "1h",
    "spark.sql.sources.partitionOverwriteMode": "dynamic",
    "spark.sql.files.ignoreMissingFiles": "true",
    "spark.sql.files.maxRecordsPerFile": "1",
    "spark.sql.storeAssignmentPolicy": "LEGACY",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.caseSensitive": "true",
    "spark.sql.session.timeZone": "America/New_York",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "LEGACY",
    "spark.sql.parquet.writeLegacyFormat": "true",
    "spark.sql.legacy.timeParserPolicy": "LEGACY",
}
BEFORE = "2013-12-30"
TABLES = ("predictions", "predictions_runs", "predictions_profile", "predictions_drift")


def test_a_run_is_the_same_whatever_its_callers_session_says_of_writes(world: World) -> None:
    caller = world.spark.newSession()
    for name, value in HOSTILE.items():
        caller.conf.set(name, value)
    settings = world.settings(profile={"rows": 1_000}, scoring={"transport": "arrow"})
    reports = {as_of: score(caller, settings, as_of=as_of) for as_of in (BEFORE, AS_OF)}

    for as_of, report in reports.items():
        assert_published(world, report, source_rows(), as_of=as_of)
    assert world.events() == ["started", "staged", "published", "monitored"] * 2
    drifts = world.table("predictions_drift").groupBy("run_id").count().collect()
    assert [row["run_id"] for row in drifts] == [reports[AS_OF].run_id]
    profiled = {row["run_id"] for row in world.table("predictions_profile").select("run_id").distinct().collect()}
    assert profiled == {report.run_id for report in reports.values()}
    for name in TABLES:
        table = DeltaTable(world.path(name))
        assert (table.protocol().min_reader_version, table.protocol().min_writer_version) == (1, 2)
        properties = table.metadata().configuration
        assert not {one for one in properties if "Mapping" in one or "append" in one or "logRetention" in one}, name
        operations = {commit["operation"] for commit in table.history()}
        assert operations <= {"CREATE TABLE", "MERGE", "WRITE"}
        assert "the caller's" not in {commit.get("userMetadata") for commit in table.history()}
        assert table.transaction_version("nightly") is None
    assert len(DeltaTable(world.path("predictions")).file_uris()) == len(reports)
    assert caller.conf.get(f"{DELTA}write.txnAppId") == "nightly"
