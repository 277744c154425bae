"""A stand-in for a Python worker: does what a file says, and prints what that returned."""

import pickle
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.stdout.write(str(pickle.loads(Path(sys.argv[1]).read_bytes())()))
