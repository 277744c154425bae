"""Load real flights, train and register a model, score three months.

./spark-submit.sh jobs/quickstart.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("quickstart")
