"""What the CronJobs of conf/orchestration/kubernetes start, for a check that has no cluster."""

import re
import sys
from collections.abc import Mapping
from typing import Any

from scheduled_job import ROOT

MANIFESTS = ROOT / "conf" / "orchestration" / "kubernetes"


def load_job(component: str) -> Mapping[str, Any]:
    """The job of a CronJob, by its label."""
    import yaml

    for manifest in yaml.safe_load_all((MANIFESTS / "cronjob.yaml").read_text(encoding="utf-8")):
        if manifest["metadata"]["labels"]["app.kubernetes.io/component"] == component:
            job: Mapping[str, Any] = manifest["spec"]["jobTemplate"]["spec"]
            return job
    return sys.exit(f"FAILED: no CronJob for {component}")


def read_command(component: str, *, config: str, message_file: str) -> list[str]:
    """The command of its container: Spark is on this machine, and these files take the place of the pod's."""
    container = load_job(component)["template"]["spec"]["containers"][0]
    changes = (
        (r"/etc/sparkscore/flight-delay\.yaml", config),
        (r"/dev/termination-log", message_file),
        (r"--master k8s\S+ --deploy-mode client", "--master local[2]"),
        (r"--conf spark\.(kubernetes|executor|driver\.host)\S*=\S+", ""),
    )
    words = [*container["command"], *container.get("args", [])]
    for pattern, replacement in changes:
        words = [re.sub(pattern, replacement, word) for word in words]
    return words
