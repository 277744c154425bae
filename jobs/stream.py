"""Score what comes to a source, micro-batch by micro-batch; each one is published once.

./spark-submit.sh jobs/stream.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("stream")
