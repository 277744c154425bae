"""Check the run events of a job against the SLA rules of its config.

./spark-submit.sh jobs/check_sla.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("check_sla")
