"""One JVM for the whole run, with what the jobs' own sessions have."""

import faulthandler
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from delta.tables import DeltaTable
from hypothesis import HealthCheck, settings
from pyspark.sql import SparkSession

from tests.postgres import Postgres, add_jdbc_driver, serve_postgres
from tests.small_session import start_small_session
from tests.warm_daemon import MORE
from tests.world import Registry, World, registry_in, source_rows

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
os.environ["PYSPARK_PYTHON"] = sys.executable
add_jdbc_driver()

# Hundreds of queries over a few rows each: compiling them costs more than it saves (32 s instead of 37 for six runs).
options = ["--conf spark.sql.codegen.wholeStage=false", "--conf spark.sql.codegen.factoryMode=NO_CODEGEN"]
# Each test has tables of its own, and Delta keeps the logs of 10,000 for an hour: after a hundred whole jobs the heap
# was full of them, and the JVM did nothing but collect garbage.
options += ["--driver-memory 2g", "--conf spark.databricks.delta.delta.log.cacheSize=10"]
options += ["--driver-java-options -Ddelta.log.cacheSize=10"]
options.append("--conf spark.sql.sources.parallelPartitionDiscovery.parallelism=2")  # else VACUUM starts 10,000 tasks
# Python workers find it. Under coverage what runs in them counts: see pyproject.toml.
paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
daemon = "coverage_daemon" if "COVERAGE_PROCESS_CONFIG" in os.environ else "warm_daemon"
options.append(f"--conf spark.python.daemon.module=tests.{daemon}")
os.environ[MORE] = "skops.io"  # of the sessions' own model
os.environ["PYSPARK_SUBMIT_ARGS"] = " ".join([*options, "pyspark-shell"])

# An example that takes longer than Hypothesis' 0.2 s tells of a busy machine, not of a defect; so do slow examples.
settings.register_profile("sparkscore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sparkscore")

SLOW = (
    "tests/engines/test_engine_parity.py",
    "tests/engines/test_engine_tasks.py",
    "tests/faults/test_at_once.py",
    "tests/faults/test_killed.py",
    "tests/faults/test_killed_chunks.py",
    "tests/faults/test_killed_stream.py",
    "tests/faults/test_killed_verbs.py",
    "tests/faults/test_killed_increments.py",
    "tests/faults/test_terminated.py",
    "tests/faults/test_workers.py",
    "tests/faults/test_disk.py",
    "tests/faults/test_landing.py",
    "tests/faults/test_model.py",
    "tests/faults/test_changed.py",
    "tests/faults/test_soak.py",
    "tests/pipelines/test_batch_timeout.py",
    "tests/pipelines/test_canary.py",
    "tests/pipelines/test_gates.py",
    "tests/pipelines/test_long_texts.py",
    "tests/pipelines/test_maintain.py",
    "tests/pipelines/test_rollback.py",
    "tests/pipelines/test_rejects.py",
    "tests/pipelines/test_renamed_columns.py::test_rejects_are_scored_again",
    "tests/pipelines/test_row_rules.py",
    "tests/pipelines/test_stream.py::TestKeys::test_a_key_of_an_earlier",
    "tests/pipelines/test_stream.py::TestUpstream::test_changes",
    "tests/pipelines/test_stream.py::test_a_stream_that_is_stopped",
    "tests/pipelines/test_stream.py::test_rejected_rows",
    "tests/pipelines/test_stream_kafka.py",
    "tests/pipelines/test_long_stream.py",
    "tests/pipelines/test_sensitive.py",
    "tests/pipelines/test_transports.py",
    "tests/pipelines/test_two_models.py::test_so_it_is_on_every_transport_and_with_both_residencies",
    "tests/model/host/test_in_spark.py",
    "tests/demo/test_injected.py",
    "tests/jobs/test_submits.py::TestErrors",
    "tests/jobs/test_submits.py::TestExplain",
    "tests/jobs/test_submits.py::TestMaintain",
    "tests/jobs/test_submits.py::TestRollback",
    "tests/jobs/test_submits.py::TestStandalone",
    "tests/jobs/test_submits.py::TestWithoutTheScript",
    "tests/cli/test_main.py::test_a_rollback_says",
    "tests/cli/test_main.py::test_a_sample_shows",
    "tests/cli/test_main.py::test_migrate_says",
    "tests/cli/test_verb_session.py::test_it_says_without_spark_what_it_says_with_it[words2",
    "tests/cli/test_verb_session.py::test_it_says_without_spark_what_it_says_with_it[words3",
    "tests/cli/test_verb_session.py::test_what_only_spark_tells_or_does_is_left_to_it[words3",
    "tests/cli/test_verb_session.py::test_what_only_spark_tells_or_does_is_left_to_it[words4",
    "tests/cli/test_verb_session.py::test_what_only_spark_tells_or_does_is_left_to_it[words5",
    "tests/demo/test_expectations.py::test_every_rule_over_the_predictions",
    "tests/gate/compiled/test_known_verdicts.py::test_large_sets_are_judged_like_small_ones[decimal",
    "tests/gate/compiled/test_known_verdicts.py::test_large_sets_are_judged_like_small_ones[double",
    "tests/gate/compiled/test_known_verdicts.py::test_large_sets_are_judged_like_small_ones[float",
    "tests/gate/compiled/test_spark_jobs.py::test_scalar_rules_take_one_job_however_many_they_are[256",
    "tests/pipelines/test_budgets.py::test_each_attempt",
    "tests/pipelines/test_reuse.py::test_challengers",
    "tests/pipelines/test_reuse.py::test_predictions_that_no_run",
    "tests/pipelines/test_reuse.py::test_rejects",
    "tests/pipelines/test_reuse.py::test_what_a_stopped_run",
    "tests/pipelines/test_row_chunks.py::test_a_stage_of_the_scan",
    "tests/pipelines/test_row_chunks.py::test_another_number",
    "tests/pipelines/test_chunks.py::test_restart",
    "tests/pipelines/test_chunks.py::test_what_a_slow_model_leaves",
    "tests/pipelines/test_one_pass.py::test_a_sample_of_the_rows",
    "tests/pipelines/test_one_pass.py::test_another_suite",
    "tests/pipelines/test_one_pass.py::test_another_threshold",
    "tests/pipelines/test_one_pass.py::test_before_says_whether_the_model_sees_rows_that_the_gate_refuses[always",
    "tests/pipelines/test_run_monitoring.py::TestDrift::test_a_named_run",
    "tests/pipelines/test_run_monitoring.py::TestPages::test_a_failed_run",
    "tests/pipelines/test_score.py::TestAgain::test_an_emptied_table_is_an_error_until_forced[id",
    "tests/pipelines/test_score.py::TestAgain::test_emptied_table_and_events",
    "tests/pipelines/test_score.py::TestAgain::test_rows_that_are_deleted_upstream",
    *(
        f"tests/pipelines/test_score.py::TestBadInput::test_it_is_refused_with_the_right_code_and_nothing_is_written[groups{case}-"
        for case in (2, 5, 6, 9, 10, 13, 15, 16, 18, 19)
    ),
    "tests/pipelines/test_score.py::TestGates::test_an_empty_source_fails_the_gate",
    "tests/pipelines/test_score.py::TestPublishing::test_another_as_of",
    "tests/pipelines/test_score.py::TestPublishing::test_batches_have",
    "tests/pipelines/test_score.py::TestPublishing::test_names_with_spaces",
    "tests/pipelines/test_score.py::TestResuming::test_a_changed_config",
    "tests/publish/test_publish_run.py::TestAtOnce::test_of_a_later_revision",
    "tests/publish/test_publish_run.py::TestAtOnce::test_of_another_as_of",
    "tests/publish/test_publish_run.py::TestAtOnce::test_of_the_same_run",
    "tests/publish/test_publish_run.py::TestFewRows::test_spark_does_it_for_large_stages",
    "tests/publish/test_publish_run.py::test_where_only_spark_counts_rows",
    "tests/scoring/test_forged_errors.py::TestThroughSpark::test_whatever_a_model_raises_is_the_models_failure[arrow-worker",
    "tests/scoring/test_forged_errors.py::TestThroughSpark::test_whatever_a_model_raises_is_the_models_failure[pandas_udf-executor",
    "tests/scoring/test_forged_errors.py::TestThroughSpark::test_whatever_a_model_raises_is_the_models_failure[scan-executor",
    "tests/scoring/test_pandas_udf_transport.py::TestFailures::test_a_model_that_raises[collect",
    "tests/scoring/test_pandas_udf_transport.py::TestFailures::test_the_public_function_keeps_no_row_aside[write",
    "tests/spark/test_isolated_session.py::test_a_file_that_is_damaged_or_gone_is_an_error_whatever_the_caller_ignores[spark-submit",
    "tests/spark/test_isolated_session.py::test_a_merge_inserts_updates_and_deletes_whatever_the_caller_sets_for_merges[spark-submit",
    "tests/spark/test_isolated_session.py::test_a_new_table_has_the_properties_of_its_contract_and_no_others[spark-submit",
    "tests/spark/test_isolated_session.py::test_an_overwrite_of_ours_replaces_every_partition[spark-submit",
    "tests/spark/test_isolated_session.py::test_files_hold_the_days_and_types_that_every_reader_expects[spark-submit",
    "tests/store/test_retention.py::test_files_that_are_not_small",
    "tests/store/test_run_events.py::test_a_trend_of_the_newest_as_ofs_is_the_end_of_the_trend_of_all[spark",
    "tests/store/test_run_events.py::test_events_of_some_as_ofs_come_alone[spark",
    "tests/store/test_run_events.py::test_the_index_names_all_as_ofs_and_the_newest_publication_of_each[spark",
    "tests/store/test_run_row_counts.py::test_rows_are_counted_as_spark_counts_them[moment1",
    "tests/store/test_run_row_counts.py::test_rows_are_counted_as_spark_counts_them[moment3",
    "tests/store/test_small_tables.py::test_rows_have_all_columns_and_only_what_was_asked_for[spark-where2",
    "tests/store/test_small_tables.py::test_rows_have_all_columns_and_only_what_was_asked_for[spark-where3",
    "tests/store/test_table_growth.py::test_a_catalogs_table_grows_too",
    "tests/store/test_table_growth.py::test_other_keys_are_refused_for_they_are_what_a_row_is[keys1",
    "tests/store/test_table_growth.py::test_other_keys_are_refused_for_they_are_what_a_row_is[keys2",
    "tests/store/test_table_growth.py::test_who_changes_the_columns_first",
    "tests/demo/test_seasons.py",
    "tests/ingest/test_snapshot.py::test_a_session_that_skips_bad_files_is_refused[TRUE",
    "tests/ingest/test_snapshot.py::test_a_version_that_is_not_there_is_refused[1000000000",
    "tests/ingest/test_snapshot.py::test_an_older_version_is_read_as_it_was[0",
    "tests/ingest/test_snapshot.py::test_an_older_version_is_read_as_it_was[2",
    "tests/model/host/test_model_host.py::TestBatchTimeout::test_batches_that_only",
    "tests/model/host/test_model_host.py::TestOneLoad::test_other_params",
    "tests/model/registry/test_model_resolution.py::TestNoAnswer::test_a_locked_database",
    "tests/monitor/test_metrics_file.py::TestServer",
    "tests/pipelines/test_chunks.py::test_a_scan_is_stopped",
    "tests/pipelines/test_chunks.py::test_the_tables_of_readers",
    "tests/pipelines/test_hostile_session.py",
    "tests/pipelines/test_model_inputs_of_a_run.py::test_a_variant",
    "tests/pipelines/test_one_pass.py::test_a_share_of_rejects",
    "tests/pipelines/test_repeated_rows.py::test_a_model_that_answers_alike",
    "tests/pipelines/test_run_monitoring.py::TestDrift::test_it_ends_with_5",
    "tests/pipelines/test_score.py::TestPublishing::test_an_older_source",
    "tests/pipelines/test_score.py::TestPublishing::test_a_models_input",
    "tests/store/test_retention.py::test_a_publish_of_a_date",
    "tests/store/test_retention.py::test_the_revisions",
    "tests/store/test_table_growth.py::test_a_publication_under_way",
    "tests/store/test_table_growth.py::test_fields_inside",
    "tests/store/test_table_migration.py::test_a_table_of_a_third_job_is_refused[somebody",
    "tests/store/test_table_migration.py::test_planning",
    "tests/store/test_table_migration.py::test_the_names_that_a_job_had",
    "tests/store/test_table_migration.py::test_what_is_not_wider_is_refused[carrier",
    "tests/store/test_table_migration.py::test_what_is_not_wider_is_refused[prediction",
    "tests/store/test_table_migration.py::test_what_is_not_wider_is_refused[source_version",
    "tests/cli/test_main.py::test_maintain_says",
    "tests/demo/test_recipe.py::test_the_quickstarts_model",
    "tests/demo/test_recipe.py::test_training_again",
    "tests/demo/test_train.py",
    "tests/demo/test_write_tables.py::test_only_a_table",
    "tests/former/test_former.py::test_a_run_migrates",
    "tests/former/test_former.py::test_its_rejects",
    "tests/jobs/test_submits.py::TestRuns::test_what_the_jvm_itself",
    "tests/monitor/test_profile_memory.py",
    "tests/model/host/test_model_host.py::TestBatches::test_results_are_those_in_process_bit_for_bit[7",
    "tests/model/host/test_model_host.py::TestErrors::test_so_is_one_of_the_suites_classes_or_an_exit_that_the_model_raises[Digest",
    "tests/model/host/test_model_host.py::TestErrors::test_the_class_of_what",
    "tests/former/test_former.py::test_a_renamed_job",
    "tests/former/test_former.py::test_another_threshold",
    "tests/former/test_former.py::test_two_runs_at_once",
    "tests/pipelines/test_as_of_ends.py",
    "tests/pipelines/test_chunks.py::test_a_cluster_of_another_size",
    "tests/pipelines/test_chunks.py::test_a_run_whose_chunks_are_short",
    "tests/pipelines/test_chunks.py::test_another_transport",
    "tests/pipelines/test_chunks.py::test_more_rejects_than_allowed_end_the_run_and_a_higher_limit_goes_on[limit0-arrow]",
    "tests/pipelines/test_chunks.py::test_more_rejects_than_allowed_end_the_run_and_a_higher_limit_goes_on[limit1-scan]",
    "tests/pipelines/test_chunks.py::test_of_a_slow_model_each_split",
    "tests/pipelines/test_chunks.py::test_rows_are_the_same_whatever_is_kept",
    "tests/pipelines/test_growing_tables.py::test_a_removed_passthrough",
    "tests/pipelines/test_growing_tables.py::test_a_rollback_to_before",
    "tests/pipelines/test_model_inputs_of_a_run.py::test_casts_missing_values_and_absent_inputs_are_the_same_on_each[arrow]",
    "tests/pipelines/test_model_inputs_of_a_run.py::test_casts_missing_values_and_absent_inputs_are_the_same_on_each[pandas_udf]",
    "tests/pipelines/test_renamed_columns.py::test_names_that_no_plain_table_can_have_reach_readers_on_every_transport",
    "tests/pipelines/test_repeated_rows.py::test_a_model_that_answers_otherwise_is_a_warning_and_recorded[arrow",
    "tests/pipelines/test_repeated_rows.py::test_a_model_that_answers_otherwise_is_a_warning_and_recorded[pandas_udf",
    "tests/pipelines/test_run_monitoring.py::TestDrift::test_a_baseline_that_is_not_there",
    "tests/pipelines/test_run_monitoring.py::TestDrift::test_a_missing_baseline",
    "tests/pipelines/test_run_monitoring.py::TestDrift::test_a_window_of_runs",
    "tests/pipelines/test_run_monitoring.py::TestDrift::test_after_a_rollback",
    "tests/pipelines/test_run_monitoring.py::TestDrift::test_training_data",
    "tests/pipelines/test_run_monitoring.py::TestPages::test_a_page_is_made_anew",
    "tests/pipelines/test_run_monitoring.py::TestPages::test_the_page_of_a_run_past_its_deadline",
    "tests/pipelines/test_run_monitoring.py::TestProfile::test_what_only_spark_reads",
    "tests/pipelines/test_score.py::TestGates::test_a_rule_of_another_table",
    "tests/pipelines/test_score.py::TestGates::test_an_empty_source_that_was_expected",
    "tests/pipelines/test_score.py::TestPinsOfOlderVersions::test_a_publication_whose_model",
    "tests/pipelines/test_score.py::TestPinsOfOlderVersions::test_files_that_the_pins",
    "tests/jobs/test_submits.py::TestGate",
    "tests/jobs/test_submits.py::TestRejects",
    "tests/jobs/test_submits.py::TestRuns::test_all_runs",
    "tests/jobs/test_submits.py::TestScore::test_a_dry_run",
    "tests/jobs/test_submits.py::TestScore::test_a_sample",
    "tests/jobs/test_submits.py::TestScore::test_another_as_of",
    "tests/jobs/test_submits.py::TestWatching::test_a_promise",
    "tests/jobs/test_submits.py::TestWatching::test_the_page_of_the_job",
    "tests/test_printing.py::test_a_run_that_spark_submit_configures",
    "tests/test_printing.py::test_every_verb_shows",
    "tests/test_bench.py",
)
"""Most of all tests' time: whole runs by the dozen, drivers that are killed. CI has to end on a slow machine, too."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the slow ones, but for the smoke tests among them: one of each kind of fault is in each run of CI."""
    for item in items:
        if item.nodeid.startswith(SLOW) and item.get_closest_marker("smoke") is None:
            item.add_marker(pytest.mark.slow)


LIMIT_S = 600
"""What takes longer than this hangs, also on a busy machine."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test that hangs fails, and says where all its threads are."""

    def fail(*_: object) -> None:
        faulthandler.dump_traceback()
        pytest.fail(f"{item.nodeid} takes longer than {LIMIT_S} s: where its threads are is in its stderr")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(LIMIT_S)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def forgotten_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets that a test registers are forgotten after it."""
    from sparkscore.redaction import known_secrets

    monkeypatch.setattr(known_secrets, "_KNOWN", known_secrets._KnownSecrets(has_environment=True))


@pytest.fixture(autouse=True)
def restored_active_session() -> Iterator[None]:
    """What finds the active session itself, as MLflow does, does not find one that an earlier test has made."""
    yield
    first: Any = SparkSession._instantiatedSession
    if first is not None and SparkSession._activeSession is not first:
        first._jvm.org.apache.spark.sql.classic.SparkSession.setActiveSession(first._jsparkSession)
        SparkSession._activeSession = first


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A local session: two slots, tasks tried up to four times."""
    session = start_small_session("tests", master="local[2,4]")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """A registry with one model in two versions."""
    return registry_in(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL on loopback: each test makes tables with names of its own."""
    with serve_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def world(spark: SparkSession, registry: Registry, tmp_path: Path) -> World:
    """A home folder with a source of 60 rows; champion is version 1."""
    registry.alias(1)
    made = World(spark, tmp_path / "home", registry)
    made.write_source(source_rows())
    return made


@pytest.fixture
def opened_tables(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that Spark's Delta was asked to open, in order."""
    paths: list[str] = []
    original = DeltaTable.forPath.__func__  # type: ignore[attr-defined]

    def counted(cls: type[DeltaTable], spark: SparkSession, path: str, *rest: Any) -> DeltaTable:
        paths.append(path)
        found: DeltaTable = original(cls, spark, path, *rest)
        return found

    monkeypatch.setattr(DeltaTable, "forPath", classmethod(counted))
    return paths


@pytest.fixture
def opened_logs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that deltalake was asked to open, in order."""
    import deltalake

    from sparkscore.store import table_location

    paths: list[str] = []

    def opened(path: str, **given: Any) -> deltalake.DeltaTable:
        paths.append(path)
        return deltalake.DeltaTable(path, **given)

    monkeypatch.setattr(table_location, "DeltaTable", opened)
    return paths
