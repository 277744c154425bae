"""What spark-submit.sh hands to Spark. Spark itself is a stand-in that shows its arguments and environment."""

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
STAND_IN = f"""#!{sys.executable}
import json, os, sys
print(json.dumps([sys.argv[1:], dict(os.environ)]))
sys.exit(int(os.environ.get("STAND_IN_EXIT", "0")))
"""
# A Python that says where its pyspark is, and starts no job either.
STAND_IN_PYTHON = f"""#!{sys.executable}
import json, os, sys
print(os.environ["STAND_IN_SPARK"] if sys.argv[1] == "-c" else json.dumps([sys.argv[1:], dict(os.environ)]))
"""
# A Python that archives classes, as the JVM does that it would start.
STAND_IN_ARCHIVER = f"""#!{sys.executable}
import os, pathlib, shlex, sys
if sys.argv[1] != "-c":
    print("archived")
    option = shlex.split(os.environ["SPARK_SUBMIT_OPTS"])[0]
    pathlib.Path(option.removeprefix("-XX:ArchiveClassesAtExit=")).write_text(os.environ["STAND_IN_ARCHIVE"])
"""
# Like Spark, which hands all that its Python process writes on as its own stdout.
STAND_IN_WITH_DRIVER = f"""#!{sys.executable}
import subprocess, sys
python = next(arg.partition("=")[2] for arg in sys.argv if arg.startswith("spark.pyspark.driver.python="))
job = sys.argv.index(next(arg for arg in sys.argv if arg.endswith("talks.py")))
sys.exit(subprocess.run([python, *sys.argv[job:]], stderr=subprocess.STDOUT).returncode)
"""


@dataclass(frozen=True)
class Submitted:
    """What came of one spark-submit.sh, and what its stand-in was started with."""

    exit_code: int
    stdout: str
    stderr: str
    args: list[str] = field(default_factory=list)
    env: Mapping[str, str] = field(default_factory=dict)

    def option(self, name: str) -> str:
        """The one value of an option of spark-submit."""
        (value,) = [self.args[at + 1] for at, arg in enumerate(self.args) if arg == name]
        return value

    def conf(self, key: str) -> str:
        """The one value of a --conf."""
        (value,) = [arg.partition("=")[2] for arg in self.args if arg.startswith(f"{key}=")]
        return value

    @property
    def job_and_options(self) -> list[str]:
        """From the job on, without the folders of the job."""
        at = next(at for at, arg in enumerate(self.args) if arg.endswith("jobs/score.py"))
        return ["score.py", *self.args[at + 1 :]]


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


class Checkout:
    """A copy of the repository in a folder with a space in its name, a Spark and a Java beside it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "check out"
        self.spark = folder / "spark"
        self.java = folder / "java"
        self.root.mkdir()
        for name in ("spark-submit.sh", "pyproject.toml", "requirements.lock", "LICENSE"):
            shutil.copy(REPOSITORY / name, self.root)
        shutil.copytree(REPOSITORY / "ci", self.root / "ci")
        shutil.copytree(REPOSITORY / "conf", self.root / "conf")
        (self.root / "README.md").write_text("# A copy\n")
        (self.root / "conf" / "mine.yaml").write_text("job: mine\n")
        (self.root / "jobs").mkdir()
        (self.root / "jobs" / "score.py").touch()
        (self.root / "src" / "sparkscore").mkdir(parents=True)
        (self.root / "src" / "sparkscore" / "__init__.py").write_text('"""A copy."""\n\n__version__ = "0.0.1"\n')
        executable(self.spark / "bin" / "spark-submit", STAND_IN)
        self.with_java("17.0.15")

    def with_java(self, version: str) -> None:
        """Puts another Java in the place of the one that is there."""
        executable(self.java / "bin" / "java", "")
        (self.java / "release").write_text(f'IMPLEMENTOR="Nobody"\nJAVA_VERSION="{version}"\n')

    def run(self, *args: str, cwd: Path | None = None, **env: str | None) -> subprocess.CompletedProcess[str]:
        """Runs the script as it is; an environment variable that is None is taken away."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYSPARK_", "SPARK_")) and k != "MASTER"}
        defaults = {"SPARK_HOME": str(self.spark), "JAVA_HOME": str(self.java), "SPARKSCORE_PYTHON": sys.executable}
        return subprocess.run(
            [shutil.which("bash") or "bash", str(self.root / "spark-submit.sh"), *args],
            cwd=cwd or self.root,
            env={k: v for k, v in {**inherited, **defaults, **env}.items() if v is not None},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def submit(self, *args: str, cwd: Path | None = None, **env: str | None) -> Submitted:
        """Runs the script as far as the stand-in."""
        done = self.run(*args, cwd=cwd, **env)
        assert done.stdout, done.stderr
        seen_args, seen_env = json.loads(done.stdout)
        return Submitted(done.returncode, done.stdout, done.stderr, seen_args, seen_env)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def bare_path(tmp_path: Path) -> str:
    """A PATH with the plain tools, but neither Java nor Python nor uv."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in (
        "bash",
        "cat",
        "dirname",
        "find",
        "grep",
        "head",
        "ls",
        "mkdir",
        "mkfifo",
        "mktemp",
        "readlink",
        "rm",
        "sed",
        "tail",
        "tty",
    ):
        (tools / name).symlink_to(shutil.which(name) or name)
    return str(tools)


class TestOptions:
    def test_what_stands_before_the_job_is_sparks_and_what_stands_behind_is_the_jobs(self, checkout: Checkout) -> None:
        done = checkout.submit(
            "--driver-memory", "6g", "--verbose", "jobs/score.py", "--as-of", "2013-12-31", "--master", "x"
        )
        assert done.option("--driver-memory") == "6g"
        assert done.args.index("--verbose") < done.args.index("jobs/score.py")
        assert done.job_and_options == ["score.py", "--as-of", "2013-12-31", "--master", "x"]

    @pytest.mark.parametrize("option", ["--py-files", "--name", "--files", "--driver-java-options"])
    def test_the_value_of_an_option_is_not_the_job_even_where_it_ends_in_py(
        self, checkout: Checkout, option: str
    ) -> None:
        done = checkout.submit(option, "helpers.py", "jobs/score.py")
        assert done.option(option) == "helpers.py"
        assert done.job_and_options == ["score.py"]

    def test_an_option_may_be_joined_to_its_value(self, checkout: Checkout) -> None:
        done = checkout.submit("--py-files=helpers.py", "--conf=spark.task.cpus=2", "jobs/score.py")
        assert done.option("--py-files") == "helpers.py"
        assert done.conf("spark.task.cpus") == "2"

    def test_arguments_keep_their_spaces_and_stars(self, checkout: Checkout) -> None:
        done = checkout.submit("--name", "two  words *", "jobs/score.py", "--job", "a 'b' *", "")
        assert done.option("--name") == "two  words *"
        assert done.job_and_options == ["score.py", "--job", "a 'b' *", ""]

    def test_an_option_without_its_value_is_refused(self, checkout: Checkout) -> None:
        done = checkout.run("--master")
        assert (done.returncode, done.stderr) == (2, "--master needs a value\n")

    def test_spark_connect_is_refused_with_the_way_to_it(self, checkout: Checkout) -> None:
        done = checkout.run("--remote", "sc://host", "jobs/score.py")
        assert done.returncode == 2
        assert "needs no spark-submit: SPARK_REMOTE=sc://host sparkscore" in done.stderr

    def test_help_tells_how_to_use_it(self, checkout: Checkout) -> None:
        done = checkout.run("--help")
        assert done.returncode == 0
        assert "./spark-submit.sh jobs/quickstart.py" in done.stdout

    def test_without_a_job_the_usage_goes_to_stderr(self, checkout: Checkout) -> None:
        done = checkout.run("--master", "yarn")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("Usage: spark-submit.sh")

    def test_what_needs_no_job_is_passed_on_without_one(self, checkout: Checkout) -> None:
        assert checkout.submit("--status", "driver-1", "--master", "spark://h:7077").args == [
            "--status",
            "driver-1",
            "--master",
            "spark://h:7077",
        ]

    def test_a_job_that_is_not_there_is_refused_with_those_that_are(self, checkout: Checkout) -> None:
        done = checkout.run("jobs/scores.py")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "There is no job jobs/scores.py. The jobs are: jobs/score.py\n"


class TestOnThisMachine:
    def test_no_master_means_the_local_conf_and_this_python(self, checkout: Checkout) -> None:
        done = checkout.submit("jobs/score.py")
        assert done.option("--properties-file") == str(checkout.root / "conf" / "spark" / "local.conf")
        assert "--master" not in done.args
        assert "--py-files" not in done.args
        assert done.env["PYSPARK_PYTHON"] == done.env["PYSPARK_DRIVER_PYTHON"] == sys.executable

    def test_the_log_is_quiet(self, checkout: Checkout) -> None:
        option = checkout.submit("jobs/score.py").conf("spark.driver.defaultJavaOptions")
        file = option.removeprefix("-Dlog4j2.configurationFile=file:")
        assert " " not in file
        assert Path(file.replace("%20", " ")).samefile(checkout.root / "conf" / "spark" / "log4j2.properties")

    def test_a_log_of_sparks_own_is_left_alone(self, checkout: Checkout) -> None:
        executable(checkout.spark / "conf" / "log4j2.properties", "")
        assert not [arg for arg in checkout.submit("jobs/score.py").args if "log4j2" in arg]

    @pytest.mark.parametrize("master", ["local", "local[2]", "local[2,4]"])
    def test_another_local_master_wins_over_the_local_conf(self, checkout: Checkout, master: str) -> None:
        done = checkout.submit("--master", master, "jobs/score.py")
        assert done.option("--properties-file").endswith("local.conf")
        assert done.option("--master") == master

    def test_a_properties_file_of_the_users_replaces_the_local_conf(self, checkout: Checkout) -> None:
        (checkout.root / "mine.conf").write_text("spark.master local[3]\n")
        done = checkout.submit("--properties-file", "mine.conf", "jobs/score.py")
        assert done.option("--properties-file") == "mine.conf"
        assert done.env["PYSPARK_PYTHON"] == sys.executable

    def test_telemetry_is_off_unless_it_is_asked_for(self, checkout: Checkout) -> None:
        env = checkout.submit("jobs/score.py", GX_ANALYTICS_ENABLED="true", MLFLOW_DISABLE_TELEMETRY=None).env
        assert (env["MLFLOW_DISABLE_TELEMETRY"], env["GX_ANALYTICS_ENABLED"]) == ("true", "true")

    def test_from_another_folder_the_job_and_its_config_are_those_of_the_repository(self, checkout: Checkout) -> None:
        elsewhere = checkout.root.parent
        done = checkout.submit("jobs/score.py", "--config", "conf/mine.yaml", "--config=conf/mine.yaml", cwd=elsewhere)
        config = str(checkout.root / "conf" / "mine.yaml")
        assert str(checkout.root / "jobs" / "score.py") in done.args
        assert done.job_and_options == ["score.py", "--config", config, f"--config={config}"]

    def test_what_is_in_the_users_folder_comes_first(self, checkout: Checkout) -> None:
        elsewhere = checkout.root.parent
        for name in ("jobs/score.py", "conf/mine.yaml"):
            executable(elsewhere / name, "")
        done = checkout.submit("jobs/score.py", "--config", "conf/mine.yaml", cwd=elsewhere)
        assert done.args[-3:] == ["jobs/score.py", "--config", "conf/mine.yaml"]

    def test_the_switch_for_an_environment_of_ones_own_is_not_left_to_the_job(self, checkout: Checkout) -> None:
        assert "SPARKSCORE_PYTHON" not in checkout.submit("jobs/score.py").env


class TestPythonFirst:
    """Where nobody says anything of Spark, Python starts it, with the options that spark-submit would get."""

    def submit(self, checkout: Checkout, *args: str, **env: str | None) -> Submitted:
        python = executable(checkout.root.parent / "bin" / "python", STAND_IN_PYTHON)
        given = {"SPARK_HOME": None, "STAND_IN_SPARK": str(checkout.spark), "SPARKSCORE_PYTHON": str(python), **env}
        return checkout.submit(*args, cwd=None, **given)

    def test_a_job_of_the_project_is_started_by_python_with_the_local_conf(self, checkout: Checkout) -> None:
        done = self.submit(checkout, "jobs/score.py", "--job", "a 'b' *", "")
        assert done.args == ["jobs/score.py", "--job", "a 'b' *", ""]
        *options, last = shlex.split(done.env["PYSPARK_SUBMIT_ARGS"])
        assert last == "pyspark-shell"
        assert options[options.index("--properties-file") + 1] == str(checkout.root / "conf" / "spark" / "local.conf")
        assert any(option.startswith("spark.driver.defaultJavaOptions=-Dlog4j2") for option in options)
        assert done.env["SPARK_SUBMIT_PREPARED"] == "yes"
        assert done.env["PYSPARK_PYTHON"].endswith("bin/python")
        assert done.env["SPARK_HOME"] == str(checkout.spark)

    @pytest.mark.parametrize(
        ("options", "env"),
        [
            (["--driver-memory", "3g"], {}),
            (["--master", "local[2]"], {}),
            ([], {"MASTER": "local[2]"}),
            ([], {"SPARK_HOME": "{spark}"}),
            ([], {"SPARK_CONF_DIR": "{conf}"}),
        ],
    )
    def test_what_is_said_of_spark_goes_to_spark_submit(
        self, checkout: Checkout, options: list[str], env: dict[str, str]
    ) -> None:
        conf = executable(checkout.root.parent / "theirs" / "spark-defaults.conf", "spark.driver.memory 3g\n").parent
        filled = {name: value.format(spark=checkout.spark, conf=conf) for name, value in env.items()}
        done = self.submit(checkout, *options, "jobs/score.py", **filled)
        assert done.job_and_options == ["score.py"]
        assert "SPARK_SUBMIT_PREPARED" not in done.env

    def test_a_job_of_the_users_own_goes_to_spark_submit(self, checkout: Checkout) -> None:
        executable(checkout.root / "mine.py", "")
        assert self.submit(checkout, "mine.py").args[-1] == "mine.py"


class TestDeltasJars:
    @pytest.fixture
    def jars(self, checkout: Checkout) -> Path:
        """The folder where Spark's resolver has put them."""
        folder = checkout.root.parent / "the home" / ".ivy2.5.2" / "jars"
        names = ("delta-1.jar", "storage-1.jar")
        lines = "".join(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n" for name in names)
        executable(checkout.root / "src" / "sparkscore" / "spark" / "delta-jars.sha256", lines)
        for name in names:
            executable(folder / name, name)
        return folder

    def test_where_all_are_there_spark_gets_the_files_and_resolves_nothing(
        self, checkout: Checkout, jars: Path
    ) -> None:
        done = checkout.submit("jobs/score.py", HOME=str(jars.parents[1]))
        assert done.option("--driver-class-path") == f"{jars}/delta-1.jar:{jars}/storage-1.jar"
        assert (done.conf("spark.jars.packages"), done.conf("spark.jars.excludes")) == ("", "")

    @pytest.mark.parametrize("change", ["damaged", "missing"])
    def test_where_one_is_not_what_it_should_be_spark_resolves_them(
        self, checkout: Checkout, jars: Path, change: str
    ) -> None:
        if change == "damaged":
            (jars / "storage-1.jar").write_text("else")
        else:
            (jars / "storage-1.jar").unlink()
        done = checkout.submit("jobs/score.py", HOME=str(jars.parents[1]))
        assert not [arg for arg in done.args if "jars" in arg or "class-path" in arg]

    @pytest.mark.parametrize(
        "options",
        [
            ["--packages", "org:mine:1"],
            ["--jars", "mine.jar"],
            ["--driver-class-path", "mine.jar"],
            ["--conf", "spark.jars=mine.jar"],
            ["--conf=spark.driver.extraClassPath=mine.jar"],
        ],
    )
    def test_where_the_user_names_jars_spark_gets_those_and_resolves_the_rest(
        self, checkout: Checkout, jars: Path, options: list[str]
    ) -> None:
        done = checkout.submit(*options, "jobs/score.py", HOME=str(jars.parents[1]))
        assert "spark.jars.packages=" not in done.args
        assert done.args.count("--driver-class-path") == options.count("--driver-class-path")


class TestArchiveOfClasses:
    def ask(self, checkout: Checkout, content: str, *, ours: str = "yes") -> tuple[str, str]:
        """What the set-up says, and the archive that it names."""
        venv = checkout.root / ".venv"
        python = executable(venv / "bin" / "python", STAND_IN_ARCHIVER)
        (venv / ".setup.stamp").write_text("made")
        digests = checkout.root / "src" / "sparkscore" / "spark" / "delta-jars.sha256"
        digests.parent.mkdir(exist_ok=True)
        digests.touch()
        script = f"source ci/setup.sh; set -eu; SETUP_PYTHON={shlex.quote(str(python))} setup_is_ours={ours}"
        done = subprocess.run(
            [shutil.which("bash") or "bash", "-c", f'{script}; setup_classes; printf %s "$SETUP_CLASSES"'],
            cwd=checkout.root,
            env={**os.environ, "JAVA_HOME": str(checkout.java), "STAND_IN_ARCHIVE": content},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stderr, done.stdout

    def test_it_is_made_once_for_a_java(self, checkout: Checkout) -> None:
        said, archive = self.ask(checkout, "classes")
        assert "once" in said
        assert Path(archive).read_text() == "classes"
        assert self.ask(checkout, "others") == ("", archive)
        checkout.with_java("21.0.2")
        _, newer = self.ask(checkout, "newer")
        assert newer != archive
        assert [file.read_text() for file in Path(newer).parent.glob("*.jsa")] == ["newer"]

    def test_one_that_cannot_be_made_is_missed_by_nobody_and_not_tried_again(self, checkout: Checkout) -> None:
        said, archive = self.ask(checkout, "")
        assert ("tells why" in said, archive) == (True, "")
        assert self.ask(checkout, "classes") == ("", "")

    def test_an_environment_of_ones_own_gets_none(self, checkout: Checkout) -> None:
        assert self.ask(checkout, "classes", ours="''") == ("", "")


class TestTheJobsOutput:
    def test_exit_codes_pass_through(self, checkout: Checkout) -> None:
        assert checkout.submit("jobs/score.py", STAND_IN_EXIT="75").exit_code == 75

    def test_nothing_is_said_where_there_is_nothing_to_set_up(self, checkout: Checkout) -> None:
        assert checkout.submit("jobs/score.py").stderr == ""

    def test_what_a_job_writes_to_stderr_stays_apart_from_its_stdout(self, checkout: Checkout) -> None:
        executable(checkout.spark / "bin" / "spark-submit", STAND_IN_WITH_DRIVER)
        (checkout.root / "talks.py").write_text(
            "import sys\nprint('result')\nprint('words', file=sys.stderr)\nsys.exit(3)\n"
        )
        done = checkout.run("talks.py")
        assert (done.returncode, done.stdout, done.stderr) == (3, "result\n", "words\n")


class TestOnACluster:
    def packed(self, done: Submitted) -> Path:
        return Path(done.option("--py-files").partition(",")[0])

    @pytest.mark.parametrize(
        "master", [["--master", "yarn"], ["--conf", "spark.master=yarn"], ["-c", "spark.master=yarn"]]
    )
    def test_the_cluster_conf_is_used_and_nothing_local(self, checkout: Checkout, master: list[str]) -> None:
        done = checkout.submit(*master, "jobs/score.py", PYSPARK_PYTHON="/opt/env/bin/python")
        assert done.option("--properties-file") == str(checkout.root / "conf" / "spark" / "cluster.conf")
        assert "SPARK_LOCAL_IP" not in done.env
        assert done.env["PYSPARK_PYTHON"] == "/opt/env/bin/python"
        assert done.env["PYSPARK_DRIVER_PYTHON"] == sys.executable

    def test_the_nodes_python_is_left_to_the_user(self, checkout: Checkout) -> None:
        assert "PYSPARK_PYTHON" not in checkout.submit("--master", "yarn", "jobs/score.py").env

    def test_the_project_is_shipped_before_what_the_user_ships(self, checkout: Checkout) -> None:
        done = checkout.submit("--master", "yarn", "--py-files", "a.zip,b.py", "jobs/score.py")
        assert done.option("--py-files").partition(",")[2] == "a.zip,b.py"
        assert self.packed(done).suffix == ".zip"
        with zipfile.ZipFile(self.packed(done)) as archive:
            assert {"sparkscore/__init__.py"} < set(archive.namelist())

    def test_it_is_packed_again_only_when_the_sources_have_changed(self, checkout: Checkout) -> None:
        first, second = (self.packed(checkout.submit("--master", "yarn", "jobs/score.py")) for _ in range(2))
        (checkout.root / "src" / "sparkscore" / "errors.py").write_text('"""More."""\n')
        third = self.packed(checkout.submit("--master", "yarn", "jobs/score.py"))
        assert first == second != third
        with zipfile.ZipFile(third) as archive:
            assert "sparkscore/errors.py" in archive.namelist()

    def test_the_clusters_own_defaults_may_name_it_and_stay_underneath(self, checkout: Checkout) -> None:
        defaults = executable(
            checkout.spark / "conf" / "spark-defaults.conf",
            "# ours\nspark.master   yarn \nspark.submit.pyFiles=c.zip\n",
        )
        done = checkout.submit("jobs/score.py")
        assert defaults.exists()
        assert "--load-spark-defaults" in done.args
        assert done.option("--properties-file").endswith("cluster.conf")
        assert done.option("--py-files").endswith(".zip,c.zip")

    def test_a_properties_file_of_the_users_may_name_it_and_replaces_ours(self, checkout: Checkout) -> None:
        (checkout.root / "mine.conf").write_text("spark.master=k8s://https://host\nspark.submit.deployMode cluster\n")
        done = checkout.submit("--properties-file", "mine.conf", "jobs/score.py", "--config", "conf/mine.yaml")
        assert done.option("--properties-file") == "mine.conf"
        assert done.option("--archives").endswith("#conf")

    def test_an_archive_that_was_changed_after_it_was_packed_is_not_shipped(
        self, checkout: Checkout, tmp_path: Path
    ) -> None:
        archive = tmp_path / "env.tar.gz"
        archive.write_bytes(b"packed")
        digest = hashlib.sha256(b"packed").hexdigest()
        archive.with_name("env.tar.gz.sha256").write_text(f"{digest}  env.tar.gz\n")
        options = ("--master", "spark://host:7077", "--archives", f"other.zip,{archive}#environment")
        assert checkout.submit(*options, "jobs/score.py").option("--archives") == options[-1]
        archive.write_bytes(b"changed")
        done = checkout.run(*options, "jobs/score.py")
        assert (done.returncode, done.stdout) == (2, "")
        assert "was changed after it was packed" in done.stderr

    def test_a_driver_on_the_cluster_gets_the_configs_under_the_same_names(self, checkout: Checkout) -> None:
        config = str(checkout.root / "conf" / "mine.yaml")
        options = ["--master", "yarn", "--deploy-mode", "cluster", "--archives", "env.tar.gz#env"]
        done = checkout.submit(
            *options, "jobs/score.py", "--config", config, "--config=conf/mine.yaml", cwd=checkout.root.parent
        )
        ours, _, theirs = done.option("--archives").partition(",")
        archive, _, name = ours.partition("#")
        assert (name, theirs) == ("conf", "env.tar.gz#env")
        with zipfile.ZipFile(archive) as shipped:
            assert {name: shipped.read(name) for name in shipped.namelist()} == {"mine.yaml": b"job: mine\n"}
        assert done.job_and_options == ["score.py", "--config", "conf/mine.yaml", "--config=conf/mine.yaml"]
        assert "PYSPARK_DRIVER_PYTHON" not in done.env

    def test_of_conf_a_cluster_sees_only_what_the_options_and_their_configs_name(self, checkout: Checkout) -> None:
        conf = checkout.root / "conf"
        (conf / "team").mkdir()
        (conf / "secret.yaml").write_text("monitor: {webhook: https://hooks/T0KEN}\n")
        (conf / "team" / "job.yaml").write_text("gate: {input: suites/in.json, output: ../expectations/flights.json}\n")
        (conf / "team" / "suites").mkdir()
        for name in ("in.json", "extra.json", "other.json"):
            (conf / "team" / "suites" / name).write_text("{}")
        done = checkout.submit(
            *("--master", "yarn", "--deploy-mode", "cluster", "jobs/score.py", "--config", "conf/team/job.yaml"),
            "--gate.output=conf/team/suites/extra.json",
        )
        with zipfile.ZipFile(done.option("--archives").partition("#")[0]) as shipped:
            assert set(shipped.namelist()) == {
                *("team/job.yaml", "team/suites/in.json", "team/suites/extra.json", "expectations/flights.json")
            }
        with zipfile.ZipFile(self.packed(done)) as project:
            own = {name for name in project.namelist() if "/conf/" in name}
        assert own == {
            f"sparkscore/demo/conf/{name}"
            for name in ("quickstart.yaml", "expectations/flights.json", "expectations/predictions.json")
        }

    def test_nothing_of_conf_is_shipped_where_no_option_names_it(self, checkout: Checkout) -> None:
        done = checkout.submit("--master", "yarn", "--deploy-mode", "cluster", "jobs/score.py", "--home", "/h")
        assert "--archives" not in done.args

    def test_a_suite_outside_of_conf_is_refused_before_anything_is_submitted(self, checkout: Checkout) -> None:
        (checkout.root / "elsewhere.json").write_text("{}")
        (checkout.root / "conf" / "mine.yaml").write_text("gate: {input: ../elsewhere.json}\n")
        options = ("--master", "yarn", "--deploy-mode", "cluster")
        done = checkout.run(*options, "jobs/score.py", "--config", "conf/mine.yaml")
        assert (done.returncode, done.stdout) == (2, "")
        assert "ships only files in" in done.stderr
        assert "conf/mine.yaml names ../elsewhere.json" in done.stderr

    @pytest.mark.parametrize(
        "config", ["/etc/hostname", "elsewhere.yaml", "conf/absent.yaml", "conf/../elsewhere.yaml"]
    )
    def test_a_config_that_is_not_shipped_is_refused(self, checkout: Checkout, config: str) -> None:
        (checkout.root / "elsewhere.yaml").write_text("job: elsewhere\n")
        done = checkout.run("--master", "yarn", "--deploy-mode=cluster", "jobs/score.py", "--config", config)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"--config {config} is not one of them" in done.stderr
        assert "Put the file there, or submit with --deploy-mode client" in done.stderr


class TestWhatIsMissing:
    def test_no_java_ends_with_the_command_that_installs_one(self, checkout: Checkout, bare_path: str) -> None:
        done = checkout.run("jobs/score.py", PATH=bare_path, JAVA_HOME=None)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Spark needs Java >= 17 and none was found: JAVA_HOME is not set and no java is on PATH" in done.stderr
        assert "apt-get install openjdk-17-jre-headless" in done.stderr

    @pytest.mark.parametrize("version", ["1.8.0_412", "11.0.22"])
    def test_an_old_java_is_none(self, checkout: Checkout, bare_path: str, version: str) -> None:
        checkout.with_java(version)
        done = checkout.run("jobs/score.py", PATH=bare_path)
        assert done.returncode == 2
        assert f"JAVA_HOME={checkout.java} is no Java >= 17" in done.stderr

    def test_a_java_on_path_makes_up_for_a_java_home_that_is_too_old(self, checkout: Checkout, bare_path: str) -> None:
        checkout.with_java("11.0.22")
        executable(Path(bare_path) / "java", "#!/bin/sh\necho 'openjdk version \"21.0.2\" 2024-01-16' >&2\n")
        done = checkout.submit("jobs/score.py", PATH=bare_path)
        assert "JAVA_HOME" not in done.env

    def test_no_python_ends_with_what_to_do(self, checkout: Checkout, bare_path: str) -> None:
        executable(Path(bare_path) / "python3", "#!/bin/sh\necho 'a shim without a version' >&2\nexit 127\n")
        done = checkout.run("jobs/score.py", PATH=bare_path, SPARKSCORE_PYTHON=None, PYTHON=None)
        assert (done.returncode, done.stdout) == (2, "")
        assert (
            "No working Python >= 3.11 was found (tried: python3.13, python3.12, python3.11, python3, python)"
            in done.stderr
        )
        assert "PYTHON=/path/to/python3.11" in done.stderr

    def test_an_environment_that_somebody_else_made_is_not_replaced(self, checkout: Checkout) -> None:
        executable(checkout.root / ".venv" / "bin" / "python", "#!/bin/sh\n")
        done = checkout.run("jobs/score.py", SPARKSCORE_PYTHON=None)
        assert done.returncode == 2
        assert "was not made by this set-up" in done.stderr
        assert (checkout.root / ".venv" / "bin" / "python").exists()

    def test_a_disk_without_room_for_the_environment_is_refused_before_anything_is_installed(
        self, checkout: Checkout, tmp_path: Path
    ) -> None:
        header, line = "Filesystem 1024-blocks Used Available Capacity Mounted", "/dev/x 9999999 9 1048576 99% /"
        executable(tmp_path / "tools" / "df", f"#!/bin/sh\necho {header}\necho {line}\n")
        path = f"{tmp_path / 'tools'}{os.pathsep}{os.environ['PATH']}"
        done = checkout.run("jobs/score.py", SPARKSCORE_PYTHON=None, PATH=path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "needs about 2500 MB more, and its disk has 1024 MB left" in done.stderr
        assert not list((checkout.root / ".venv").glob("bin*"))

    def test_an_environment_of_ones_own_has_to_exist(self, checkout: Checkout) -> None:
        done = checkout.run("jobs/score.py", SPARKSCORE_PYTHON="/nowhere/python")
        assert done.returncode == 2
        assert "SPARKSCORE_PYTHON=/nowhere/python cannot be run" in done.stderr
