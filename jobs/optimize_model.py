"""Make the job's model faster, and register the faster version if it agrees with the model.

./spark-submit.sh jobs/optimize_model.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("optimize_model")
