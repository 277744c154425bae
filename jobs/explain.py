"""Tell every score of a key over time, or why it has none.

./spark-submit.sh jobs/explain.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("explain")
