"""Publish an earlier run of an as_of again, as a new revision.

./spark-submit.sh jobs/rollback.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("rollback")
