"""Show, check or draft the config of a job.

./spark-submit.sh jobs/config.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("config")
