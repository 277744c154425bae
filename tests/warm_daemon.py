"""PySpark's daemon with what the tests' workers import: they are forks of it, and need not import it one by one.

There are many of them: each task that fails takes a new one, as does each model that shares a process with no other;
and MLflow's format of scikit-learn's models, skops, imports all of scikit-learn and, where it is installed, torch.
"""

import gc
import os
from importlib import import_module

from pyspark import daemon

MORE = "TESTS_DAEMON_IMPORTS"
"""A variable of the executors' environment: modules beside those below; `none` for Spark's own daemon."""
ALWAYS = (
    "cloudpickle",
    "pandas",
    "pyarrow.parquet",
    "sklearn.linear_model",
    "sparkscore.ingest.split_reader",
    "sparkscore.model.host.resident_model",
    "sparkscore.scoring.arrow_transport",
    "sparkscore.scoring.pandas_udf_transport",
    "sparkscore.scoring.scan_transport",
    "sparkscore.stage.file_writer",
)

if __name__ == "__main__":
    more = os.environ.get(MORE, "").split()
    if "SPARK_SIMPLIFIED_TRACEBACK" in os.environ and more != ["none"]:  # else of RDDs, whose workers need none of it
        for name in (*ALWAYS, *more):
            import_module(name)
        gc.freeze()  # else each worker's first collection would copy all of it
    daemon.manager()
