"""Publish a range of as_ofs: each once, with the source and the model of then or of now.

./spark-submit.sh jobs/backfill.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("backfill")
