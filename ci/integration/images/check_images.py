"""The images of conf/docker are built, and the commands of the Kubernetes manifests are run in containers of them."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cronjob_commands import read_command
from scheduled_job import ROOT, WORK, ScheduledJob, require, say

DOCKER = ROOT / "conf" / "docker"
DAY = f"{datetime.now(UTC):%Y-%m-%d}"
PYTHON_HOME = "/opt/python/cpython-3.11.2-linux-x86_64-gnu"
CERTIFICATES = ("--volume", "/etc/ssl/certs:/etc/ssl/certs:ro", "--env", "UV_SYSTEM_CERTS=true")
"""The machine's, for what a build fetches: a proxy may have its own."""
STAND_IN = """
FROM scratch
COPY root /
RUN useradd --uid 185 --create-home spark
ENV SPARK_HOME=/opt/spark JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64
"""
"""In the place of Spark's image: uv finds a Python of its own in it, and downloads none."""


def run(command: Sequence[str | Path]) -> str:
    """What a command prints; ends the checks where it fails."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, check=False)
    require(done.returncode == 0, f"{' '.join(map(str, command))[:300]} ended with {done.returncode}; see the log")
    return str(done.stdout)


def buildah_command(*words: str | Path) -> list[str]:
    """A call of buildah, with storage of its own, that needs no kernel module and no container runtime."""
    store = ("--storage-driver", "vfs", "--root", str(WORK / "store"), "--runroot", str(WORK / "run"))
    return ["buildah", *store, *map(str, words)]


def build(name: str, dockerfile: Path, context: Path, *more: str) -> None:
    """Build an image."""
    options = ("--isolation", "chroot", "--layers=false", *CERTIFICATES, *more)
    run(buildah_command("bud", *options, "-t", name, "-f", dockerfile, context))


def pull(image: str) -> bool:
    """Whether an image comes from its registry."""
    command = buildah_command("pull", f"docker.io/{image}" if image.startswith("apache/") else image)
    try:
        return subprocess.run(command, stdout=sys.stderr, check=False, timeout=600).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def make_stand_in(name: str) -> None:
    """Debian's Java and Python, and pip's Spark in /opt/spark."""
    import pyspark

    context = WORK / "stand-in"
    root = context / "root"
    root.mkdir(parents=True)
    packages = "--include=openjdk-17-jre-headless,ca-certificates,python3,tini"
    run(["mmdebstrap", "--variant=minbase", packages, "bookworm", WORK / "root.tar"])
    run(["tar", "-xf", WORK / "root.tar", "-C", root, "--exclude=./dev/*"])
    (WORK / "root.tar").unlink()
    for folder in ("bin", "sbin", "jars", "python"):
        shutil.copytree(Path(pyspark.__file__).parent / folder, root / "opt" / "spark" / folder)
    library = root / PYTHON_HOME.removeprefix("/")
    (library / "bin").mkdir(parents=True)
    shutil.copy(root / "usr/bin/python3.11", library / "bin")
    shutil.copytree(root / "usr/lib/python3.11", library / "lib/python3.11", symlinks=True)
    dockerfile = context / "Dockerfile"
    dockerfile.write_text(STAND_IN)
    build(name, dockerfile, context)
    shutil.rmtree(root)


def make_uv_image(name: str) -> None:
    """pip's uv."""
    context = WORK / "uv"
    context.mkdir()
    run([sys.executable, "-m", "pip", "install", "--quiet", "--target", context / "packages", "uv"])
    shutil.copy(context / "packages" / "bin" / "uv", context / "uv")
    (context / "Dockerfile").write_text("FROM scratch\nCOPY uv /uv\n")
    build(name, context / "Dockerfile", context)


def find_argument(name: str) -> str:
    """The default of a build argument of conf/docker/Dockerfile."""
    found = re.search(rf"^ARG {name}=(\S+)$", (DOCKER / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    require(found, f"conf/docker/Dockerfile has no argument {name}")
    return str(found[1])  # type: ignore[index]


def make_context() -> Path:
    """What the images are made of: a copy of the repository, and its wheel."""
    context = WORK / "context"
    context.mkdir()
    for name in ("conf", "jobs"):
        shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ROOT.glob("requirements*.lock"):
        shutil.copy(file, context)
    run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", context / "dist", ROOT])
    return context


def build_images(context: Path) -> None:
    """The image without a GPU; of the one with a GPU what its packages would be."""
    images = {"SPARK_IMAGE": find_argument("SPARK_IMAGE"), "UV_IMAGE": find_argument("UV_IMAGE")}
    for name, make in (("SPARK_IMAGE", make_stand_in), ("UV_IMAGE", make_uv_image)):
        real = pull(images[name])
        if not real:
            images[name] = f"localhost/{name.lower().replace('_', '-')}:stand-in"
            make(images[name])
        say(f"{name}: {images[name]}" if real else f"{name}: a stand-in, since the image could not be pulled")
    words = [word for name, image in images.items() for word in ("--build-arg", f"{name}={image}")]
    build("localhost/sparkscore:cpu", DOCKER / "Dockerfile", context, *words)
    say("conf/docker/Dockerfile: built; Delta's jars have the digests that the wheel knows")


class Container:
    """A container of the image; processes in it have the image's variables and its user."""

    def __init__(self, mounted: Path) -> None:
        self.name = run(buildah_command("from", "localhost/sparkscore:cpu")).strip()
        self.mounted = mounted

    def call(self, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run a command as a pod would: what it prints, and its exit code."""
        environ["SPARK_LOCAL_IP"] = "127.0.0.1"  # a pod's name resolves, this container's does not
        given = [word for name, value in environ.items() for word in ("--env", f"{name}={value}")]
        volume = f"{self.mounted}:{self.mounted}:rw"
        options = ("--isolation", "chroot", "--user", "185", "--volume", volume, *CERTIFICATES, *given)
        command = buildah_command("run", *options, self.name, "--", *words)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        sys.stderr.write(f"$ {' '.join(words)[:200]}\n{done.stdout}\nended with {done.returncode}\n")
        return done


def check_commands(job: ScheduledJob) -> None:
    """What the manifests start, in the image."""
    run(["chmod", "-R", "a+rwX", job.folder])  # for user 185
    container, told = Container(job.folder), job.folder / "termination-log"
    late_words, words = (
        read_command(component, config=job.config, message_file=str(told)) for component in ("late", "score")
    )
    done = container.call("touch", "/opt/sparkscore/jobs/changed.py")
    require(done.returncode != 0, "the image's user can change the jobs")
    say("processes run as user 185, who cannot change the jobs")

    late = container.call(*late_words)
    require(late.returncode == 5, late.returncode)
    say("late: the second CronJob ends with 5, since no run has started")

    refused = container.call(*words, AS_OF="{{ ds }}", POD_NAME="pod", POD_IP="127.0.0.1")
    require(refused.returncode == 2 and "template" in told.read_text(encoding="utf-8"), refused.returncode)
    say("unfilled template: ends with 2, and the pod's message says why")

    environ = {"AS_OF": DAY, "POD_NAME": "pod", "POD_IP": "127.0.0.1"}
    done = container.call(*words, **environ)
    line = json.loads(told.read_text(encoding="utf-8"))
    require(done.returncode == 0 and line["status"] == "published", (done.returncode, line))
    require("resolving dependencies" not in done.stdout, "Spark asked Maven for jars")
    job.require_once(DAY)
    say(f"score: the CronJob's command published {line['rows_scored']} rows, without asking Maven for a jar")

    again = container.call(*words, **environ)
    line = json.loads(told.read_text(encoding="utf-8"))
    require(again.returncode == 0 and line["status"] == "already_published", (again.returncode, line))
    late = container.call(*late_words)
    require(late.returncode == 0, late.returncode)
    say("score again: nothing to do; the second CronJob ends with 0")


def check_gpu_packages(job: ScheduledJob) -> None:
    """The packages of conf/docker/Dockerfile.gpu fit those of the image; they are gigabytes, and are not installed."""
    text = (DOCKER / "Dockerfile.gpu").read_text(encoding="utf-8").replace("\\\n", " ").replace("${MORE}", "")
    found = re.search(r"^RUN (uv pip install .*)$", text, re.MULTILINE)
    require(found, "Dockerfile.gpu installs no packages by uv")
    words = str(found[1]).split()  # type: ignore[index]
    shutil.copy(ROOT / "requirements-runtimes.lock", job.folder)
    words = [
        word.replace("/opt/sparkscore/requirements-runtimes", f"{job.folder}/requirements-runtimes") for word in words
    ]
    done = Container(job.folder).call(*words, "--dry-run")
    names = [name for name in ("torch", "onnxruntime-gpu", "onnx") if re.search(rf"^ \+ {name}==", done.stdout, re.M)]
    require(done.returncode == 0 and len(names) == 3, (done.returncode, names))
    say("conf/docker/Dockerfile.gpu: its packages fit the image's (resolved, not installed)")


def main() -> None:
    """All of it."""
    require(find_spec("pyspark"), "pyspark is not installed")
    (WORK / "versions").write_text(run(["buildah", "--version"]).split(" (")[0].replace(" version", "") + "\n")
    build_images(make_context())
    job = ScheduledJob()
    check_commands(job)
    check_gpu_packages(job)


if __name__ == "__main__":
    main()
