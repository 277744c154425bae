"""List a job's runs and attempts, or show one of them.

./spark-submit.sh jobs/runs.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("runs")
