"""Suggest a suite of expectations for a table, or hold one against it.

./spark-submit.sh jobs/gate.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("gate")
