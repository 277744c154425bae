"""Suggest a suite of expectations for a table, or judge a table by one.

./spark-submit.sh jobs/gate.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("gate")
