"""Check the environment of a job: Java, Spark, Delta, executors, registry, storage, GPU, clocks.

./spark-submit.sh jobs/doctor.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("doctor")
