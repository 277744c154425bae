"""Where text leaves the process: these places, which mask secrets, and no other."""

import ast
from collections.abc import Iterator
from pathlib import Path

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
        *("CommitProperties", "format_commit_note", "createDataFrame"),
    }
)
"""Functions and methods by which a text may leave."""
MASKED = {
    "cli/verb_output.py": {"print", "write_text", "PrintLogger"},  # test_what_a_verb_writes_is_masked
    "monitor/screen.py": {"write"},  # SteadyStream: everything that is printed during a verb
    "monitor/metrics_file.py": {"write"},
    "monitor/mlflow_run.py": {"log_batch", "log_inputs", "log_artifact", "create_run", "create_experiment"},
    "monitor/http_post.py": {"post"},  # the bytes of alerts.slack_message
    "store/hadoop_folders.py": {"write"},  # reports
    "store/run_events.py": {"createDataFrame"},
    "records/commit_notes.py": {"format_commit_note"},  # the one codec of userMetadata: it masks
    "store/file_commit.py": {"CommitProperties"},  # with a note of that codec
}
"""Writers that mask, each with a test in this module or in tests/pipelines/test_canary.py."""
NOTES = {
    "store/retention.py": {"format_commit_note"},
    "store/file_maintenance.py": {"format_commit_note"},
    "stage/chunk_committer.py": {"format_commit_note"},
    "stage/stage_store.py": {"format_commit_note"},
}
"""Whoever writes a note makes it by the codec."""
DATA = {
    "store/monitoring_tables.py": {"createDataFrame"},  # profiles and distances: numbers, and values of the data
    "gate/compiled/sets.py": {"createDataFrame"},
    "ingest/snapshot.py": {"createDataFrame"},
    "spark/split_frame.py": {"createDataFrame"},
    "model/host/client_threads.py": {"write_text"},
    "demo/flights.py": {"createDataFrame"},
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
KNOWN = {(place, name) for places in (MASKED, NOTES, DATA) for place, names in places.items() for name in names}


def test_text_leaves_by_writers_that_mask_it() -> None:
    assert sorted(FOUND - KNOWN) == []


def test_no_writer_is_listed_that_is_none() -> None:
    assert sorted(KNOWN - FOUND) == []
