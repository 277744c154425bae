"""Write the HTML report of a run, or of a job with --job.

./spark-submit.sh jobs/report.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("report")
