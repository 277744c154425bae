"""Bring the job's tables to the newest schema version; drop or widen columns, or rename the job.

./spark-submit.sh jobs/migrate.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("migrate")
