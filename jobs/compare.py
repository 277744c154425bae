"""Compare a challenger with the champion; with --promote let it take the champion's place.

./spark-submit.sh jobs/compare.py --help
"""

from sparkscore.cli.main import main

if __name__ == "__main__":
    main("compare")
