"""List the rows that runs did not score, or score those of a run again.

./spark-submit.sh jobs/rejects.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("rejects")
