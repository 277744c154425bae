"""What a GPU is doing now, as its driver reports. Runs on executors."""

import subprocess
from collections.abc import Mapping

_NVIDIA_SMI_QUERY = ("nvidia-smi", "--query-gpu=memory.used,utilization.gpu", "--format=csv,noheader,nounits")
_NVIDIA_SMI_TIMEOUT_S = 5.0
_MIB = 1 << 20


def read_gpu_usage(address: str) -> Mapping[str, float]:
    """Bytes of its memory in use (`gpu_memory_bytes`), by whomever, and the share of its last second in which it worked
    (`gpu_use`, 0 to 1). Empty where nothing reports them: a driver that hangs or is not there fails no task.

    Needs:   the address that Spark has given the task.
    """
    try:
        output = subprocess.run(  # noqa: S603  the address is Spark's
            [*_NVIDIA_SMI_QUERY, f"--id={address}"],
            capture_output=True,
            text=True,
            timeout=_NVIDIA_SMI_TIMEOUT_S,
            check=True,
        ).stdout
        memory, use = (float(one) for one in output.strip().split(","))
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}
    return {"gpu_memory_bytes": memory * _MIB, "gpu_use": use / 100}
