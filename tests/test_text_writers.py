"""Where text leaves the process: these places, which mask secrets, and no other."""

import ast
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sparkscore.cli.verb_output import to_result_line
from sparkscore.errors import ConfigError
from sparkscore.monitor.alerts import Alert, slack_message
from sparkscore.monitor.formatting import rows_table
from sparkscore.monitor.metrics_file import write_metrics
from sparkscore.monitor.screen import Screen, SteadyStream
from sparkscore.records import RunEvent, RunReport, format_commit_note, parse_commit_note
from sparkscore.redaction.known_secrets import register_secret
from sparkscore.store.run_events import _redacted_texts

SOURCES = Path(__file__).resolve().parents[1] / "src" / "sparkscore"
OUTPUTS = frozenset(
    {
        *(
            "print",
            "write",
            "writelines",
            "write_text",
            "write_bytes",
            "dump",
            "PrintLogger",
            "print_exc",
        ),  # streams, files
        *("post", "urlopen", "log_param", "log_params", "log_metric", "set_tag", "log_text", "log_dict"),
        *("log_batch", "log_inputs", "log_artifact", "create_run", "create_experiment"),
        *("emit", "CommitProperties", "createDataFrame", "create_frame", "append_small_rows"),
    }
)
"""Functions and methods by which a text may leave."""
MASKED = {
    "cli/verb_output.py": {"print", "write_text", "PrintLogger"},  # test_what_a_verb_writes_is_masked
    "scoring/task_models.py": {"write"},  # the class of a model's error, and its message without secrets
    "monitor/screen.py": {"write"},  # SteadyStream: everything that is printed during a verb
    "monitor/metrics_file.py": {"write"},
    "monitor/mlflow_run.py": {"log_batch", "log_inputs", "log_artifact", "create_run", "create_experiment"},
    "model/registry/faster_versions.py": {"log_batch", "log_text", "create_run"},  # model/registry/test_faster_versions
    "monitor/lineage/lineage_delivery.py": {"emit"},  # monitor/lineage/test_lineage_delivery.py
    "monitor/http_post.py": {"post"},  # the bytes of alerts.slack_message
    "store/client_folders.py": {"write"},  # reports
    "store/hadoop_folders.py": {"write", "write_bytes"},  # reports
    "store/run_events.py": {"append_small_rows"},
    "store/file_commit.py": {"CommitProperties"},
    "store/direct_commits.py": {"CommitProperties"},
}
"""Writers that mask, each with a test in this module or in tests/pipelines/test_canary.py."""
USER_METADATA = {
    *("spark/isolated_session.py", "store/file_commit.py", "store/guarded_writes.py", "stage/stage_store.py"),
    *("store/table_log.py", "store/spark_table_log.py", "store/direct_commits.py"),
    *("store/landing_tables.py", "store/landed_changes.py", "spark/session_settings.py"),
    "pipelines/scoring/reused_scoring.py",
    "ui/table_views.py",  # shows it, masked as every page is
}
"""Whoever writes the note of a commit, who reads it, and who looks whether a session has one. The sessions and the
commits of files mask, and so does the codec `records.format_commit_note`, whose notes the options of stages and
landings hold."""
DATA = {
    "store/monitoring_tables.py": {"append_small_rows"},  # profiles and distances: numbers, and values of the data
    "store/performance_table.py": {"append_small_rows", "create_frame"},  # measures, and values of segments
    "store/landed_changes.py": {"create_frame"},  # rows of the source
    "store/model_sets.py": {"append_small_rows"},  # groups of the source, versions and digests of models
    "monitor/mlflow_performance.py": {"log_batch", "log_metric"},  # measures
    "ingest/signed_frames.py": {"create_frame"},  # no rows
    "pipelines/shared/changes_landing.py": {"write"},  # rows of the source
    "pipelines/evaluation/binary_sums.py": {"create_frame"},  # numbers of rows
    "ingest/landing/empty_files.py": {"create_frame"},  # paths of the source's files
    "stage/stage_files.py": {"create_frame"},  # no rows
    "store/reused_predictions.py": {"create_frame"},  # rows of the source, as hashes
    "pipelines/shared/deleted_keys.py": {"create_frame"},  # keys
    "scoring/group_partitions.py": {"create_frame"},  # groups of the source
    "model/distribution/model_shipping.py": {"write"},  # a writer that it is given: files of models
    "store/small_tables.py": {"create_frame"},  # what `append_small_rows` was given
    "gate/compiled/sets.py": {"create_frame"},
    "gate/compiled/arrow_value_measures.py": {"create_frame"},
    "ingest/snapshot.py": {"create_frame"},
    "expressions/spark_evaluator.py": {"create_frame"},  # a small table that inputs are looked up in
    "expressions/zone_rules.py": {"create_frame"},  # offsets of time zones
    "model/environment/environment_archive.py": {"write_text"},  # names, versions and digests of packages
    "model/environment/environment_folder.py": {"write_text"},
    "model/environment/package_tools.py": {"write_text"},
    "pipelines/diagnosis/storage_checks.py": {"write"},  # a line that is always the same
    "pipelines/pack_env.py": {"write_text"},
    "engines/dask_upload.py": {"write_bytes"},  # the zip of a model
    "engines/worker_context.py": {"write_bytes"},  # the zip of a model
    "spark/package_shipping.py": {"write_bytes"},  # sparkscore itself
    "spark/split_frame.py": {"create_frame"},
    "spark/active_session.py": {"createDataFrame"},  # what create_frame is given
    "model/host/client_threads.py": {"write_text"},
    "model/registry/private_copies.py": {"write_text"},  # digests
    "model/optimise/optimiser_requests.py": {"write_text"},
    "model/optimise/optimiser_start.py": {"write_bytes"},
    "export/file_writers.py": {"write"},  # rows
    "workloads/endpoints/answer_journal.py": {"write"},  # answers for rows, in a folder of the user's own
    "workloads/endpoints/endpoint_client.py": {"post"},  # prompts of rows
    "workloads/endpoints/endpoint_folder.py": {"write_bytes"},  # templates and parameters of the config
    "workloads/endpoints/http_posting.py": {"post"},
    "model/registry/explained_copies.py": {"write_text"},  # a model's files, and names of its inputs
    "workloads/engines/engine_options.py": {"write_text"},  # templates and parameters of models that a user saves
    "workloads/embeddings/embedding_options.py": {"write_text"},  # files of models that a user saves
    "workloads/embeddings/embedding_saving.py": {"write_text"},
    "workloads/embeddings/package_texts.py": {"create_experiment"},  # an example
    "workloads/forecasts/forecast_saving.py": {"write_text"},
    "workloads/images/image_options.py": {"write_text"},
    "workloads/recommendations/recommender_files.py": {"write_text"},
    "export/target_files.py": {"write", "write_bytes"},  # names of files, columns and runs
    "demo/flights.py": {"create_frame"},
    "demo/example_jobs.py": {"create_experiment"},
    "demo/registry.py": {"log_metric", "log_inputs", "create_run", "create_experiment"},
}
"""What is no text of ours: data, messages between processes of one machine, the example."""


def calls_of(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            is_screen = isinstance(node.func, ast.Attribute) and "screen" in ast.unparse(node.func.value)
            if name in OUTPUTS and not is_screen:
                yield name


FOUND = {(str(file.relative_to(SOURCES)), name) for file in SOURCES.rglob("*.py") for name in calls_of(file)}
KNOWN = {(place, name) for places in (MASKED, DATA) for place, names in places.items() for name in names}


def test_text_leaves_by_writers_that_mask_it() -> None:
    assert sorted(FOUND - KNOWN) == []


def test_a_note_of_a_commit_is_written_where_it_is_masked() -> None:
    names = {
        str(file.relative_to(SOURCES))
        for file in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and str(node.value).endswith("userMetadata")
    }
    assert names == USER_METADATA


def test_no_writer_is_listed_that_is_none() -> None:
    assert sorted(KNOWN - FOUND) == []


SECRET = "Canary/Of+The-Writers"
AS_OF = datetime(2013, 12, 31, tzinfo=UTC)


@pytest.fixture
def known() -> None:
    register_secret(SECRET)


@pytest.mark.usefixtures("known")
def test_a_table_that_folds_a_cell_does_not_show_a_secret_in_two_lines() -> None:
    stream = io.StringIO()
    Screen(stream, width=20).print(rows_table(("value",), [(f"it is {SECRET}",)]))
    assert "***" in stream.getvalue()
    assert "Can" not in stream.getvalue()


@pytest.mark.usefixtures("known")
def test_whatever_is_printed_during_a_verb_is_masked() -> None:
    stream = io.StringIO()
    print(f"a library says {SECRET}", file=SteadyStream(stream))
    assert stream.getvalue() == "a library says ***\n"


@pytest.mark.usefixtures("known")
def test_the_result_is_masked_in_its_names_too_and_stays_json() -> None:
    line = to_result_line(json.dumps({"x": [SECRET, 1], SECRET: {"password": "b", "said": "password=b"}}))
    assert json.loads(line) == {"x": ["***", 1], "***": {"password": "b", "said": "password=***"}}


@pytest.mark.usefixtures("known")
def test_a_note_of_a_commit_is_masked_and_read_again() -> None:
    assert parse_commit_note(format_commit_note({"job": "j", "table": f"x {SECRET}"})) == {"job": "j", "table": "x ***"}


@pytest.mark.usefixtures("known")
def test_texts_of_a_run_event_are_masked_and_its_details_stay_json() -> None:
    details = json.dumps({"warnings": [f"x {SECRET}", "password=b"], "seconds": {"total": 1.0}})
    event = RunEvent(
        "j", AS_OF, 1, 1, "failed", AS_OF, message=f"y {SECRET}", source_table="s3a://K:S@b", details=details
    )
    texts = _redacted_texts(event)
    assert (texts["message"], texts["source_table"]) == ("y ***", "s3a://***@b")
    assert json.loads(texts["details"] or "") == {"warnings": ["x ***", "password=***"], "seconds": {"total": 1.0}}


@pytest.mark.usefixtures("known")
def test_an_alert_is_masked() -> None:
    sent = json.loads(slack_message([Alert("run_failed", "j", None, None, f"with {SECRET}")]))
    assert "with ***" in sent["text"]


@pytest.mark.usefixtures("known")
def test_metrics_are_masked(tmp_path: Path) -> None:
    report = RunReport("j", "2013-12-31T00:00:00Z", "published", seconds={SECRET: 1.0})
    file = write_metrics(report, tmp_path, at=datetime(2014, 1, 1, tzinfo=UTC))
    assert SECRET not in file.read_text()
    assert "***" in file.read_text()


@pytest.mark.usefixtures("known")
def test_an_error_that_was_made_before_its_secret_was_known_does_not_show_it() -> None:
    error = ConfigError("found CanaryThatIsKnownLater")
    register_secret("CanaryThatIsKnownLater")
    assert str(error) == "found ***"
