"""Pack the Python environment that the model needs, for executors that lack it.

./spark-submit.sh jobs/pack_env.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("pack_env")
