"""Print a query for analysts over the tables of a job.

./spark-submit.sh jobs/sql.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("sql")
