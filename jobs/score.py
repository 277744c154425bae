"""Score a Delta table with a registered model and publish the predictions once.

./spark-submit.sh jobs/score.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("score")
