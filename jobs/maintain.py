"""Remove what is older than its retention and what settled runs left; compact and vacuum the job's tables.

./spark-submit.sh jobs/maintain.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("maintain")
