#!/usr/bin/env bash
# Runs the driver of a job for spark-submit.sh: Spark starts this in the place of Python. Spark hands what its Python
# process writes to stderr on as its own *stdout*, where only the job's result may be; so stderr is opened anew here,
# from the path that spark-submit.sh has left: the terminal itself, or a pipe to where its stderr goes.
exec "$PYSPARK_DRIVER_PYTHON" "$@" 2>"$SPARK_SUBMIT_STDERR"
