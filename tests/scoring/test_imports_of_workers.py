"""Executors have pyarrow, numpy, pandas and the model's own packages: nothing else that the driver has."""

import subprocess
import sys

MODULES = (
    "sparkscore.gate.aggregates.gate_summary",
    "sparkscore.gate.reject_reasons",
    "sparkscore.gate.row_rules",
    "sparkscore.ingest.part_reader",
    "sparkscore.ingest.split_reader",
    "sparkscore.model.distribution.executor_packages",
    "sparkscore.model.host.host_server",
    "sparkscore.model.runtimes.model_loading",
    "sparkscore.model.runtimes.onnx.onnx_runtime",
    "sparkscore.model.runtimes.torch_runtime",
    "sparkscore.monitor.column_summary",
    "sparkscore.monitor.profile_jobs",
    "sparkscore.scoring.arrow_transport",
    "sparkscore.scoring.pandas_udf_transport",
    "sparkscore.scoring.scan_transport",
    "sparkscore.spark.scan_summaries",
    "sparkscore.spark.split_frame",
    "sparkscore.stage.file_writer",
    "sparkscore.stage.output_columns",
    "sparkscore.stage.part_summaries",
    "sparkscore.store.executor_trial",
)
"""Those whose functions and classes tasks unpickle."""
_IMPORT_WITHOUT = """
import importlib, sys
from importlib.abc import MetaPathFinder

ABSENT = {"deltalake", "delta", "great_expectations", "jinja2", "mlflow", "prometheus_client", "pydantic",
          "pydantic_settings", "requests", "rich", "scipy", "sklearn", "structlog", "tenacity", "yaml"}

class Nowhere(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nowhere())
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        print(module, "needs", error.name)
"""


def test_what_tasks_unpickle_imports_nothing_that_only_drivers_have() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_WITHOUT, *MODULES], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == ""
