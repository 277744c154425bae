"""What the numbers were measured on."""

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("sparkscore", "pyspark", "delta-spark", "mlflow", "scikit-learn", "torch", "onnxruntime-gpu", "onnxruntime",
            "pyarrow", "pandas", "numpy", "deltalake", "ray", "daft")  # fmt: skip
BUSY = 0.5
"""Load average from which on a machine with two cores is busy."""
_TUNING = ("OPENBLAS_", "OMP_", "MKL_", "ARROW_")


def facts(root: Path) -> dict[str, Any]:
    """Machine, system, environment, the repository's commit."""
    tuning = {name: value for name, value in sorted(os.environ.items()) if name.startswith(_TUNING)}
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "java": _told(["java", "-version"]).partition("\n")[0],
        "commit": _told(["git", "-C", str(root), "rev-parse", "--short", "HEAD"]),
        "changed_files": len(_told(["git", "-C", str(root), "status", "--porcelain", "src"]).splitlines()),
        "environment": tuning,
    }


def versions() -> dict[str, str]:
    """The packages of this environment that matter here."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def load() -> float:
    """The load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def available_gib() -> float:
    """Memory that new processes can have; a lot where that is unknown."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 1024.0
    return next(int(line.split()[1]) / 2**20 for line in lines if line.startswith("MemAvailable"))


def warnings(found: dict[str, Any]) -> list[str]:
    """Why the numbers may not mean much."""
    warned = []
    if load() > BUSY:
        warned.append(f"the machine is busy: load average {load()} before the first turn")
    tuned = [name for name in found["environment"] if name.startswith("OPENBLAS_")]
    if tuned:
        warned.append(f"{', '.join(tuned)} set: numpy and scikit-learn may compute with slower kernels than they could")
    return warned


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _told(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError:
        return "unknown"
    return (done.stdout or done.stderr).strip()


def say(text: str) -> None:
    """A line for people: stdout of the benchmark carries nothing."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
