"""Hold the predictions of a job against their truth.

./spark-submit.sh jobs/evaluate.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("evaluate")
