"""In the place of the optimiser's process: one that starts another, says what it does, and never answers."""

import subprocess
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    Path(sys.argv[1], "other.pid").write_text(str(other.pid))
    sys.stdout.write("at the candidate onnx\n")
    sys.stdout.flush()
    time.sleep(120)
