import os
import subprocess
import sys
from pathlib import Path

import pytest

from sparkscore.pipelines.diagnosis.driver_checks import (
    check_driver_python,
    check_java,
    check_pyspark,
    check_resolved_delta_jars,
    judge_delta_jar,
    judge_spark_version,
)

JARS = "/home/me/.ivy2.5.2/jars/io.delta_delta-spark_4.2_2.13-4.4.0.jar"


def java_that_says(folder: Path, said: str) -> dict[str, str]:
    """A home of Java whose program tells this version."""
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "java"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    program.chmod(0o700)
    return {"JAVA_HOME": str(folder)}


def test_the_python_that_runs_this_is_named() -> None:
    found = check_driver_python()
    assert (found.status, sys.executable in found.found) == ("ok", True)


class TestJava:
    def test_that_of_this_machine_will_do(self) -> None:
        assert check_java(os.environ).status == "ok"

    def test_none_at_all(self) -> None:
        found = check_java({"PATH": ""})
        assert (found.status, found.found) == ("fail", "no java on PATH, and JAVA_HOME is not set")
        assert "apt-get install openjdk-17" in found.cure

    def test_a_home_without_one(self) -> None:
        found = check_java({"JAVA_HOME": "/nowhere"})
        assert (found.status, "JAVA_HOME is /nowhere" in found.found) == ("fail", True)

    @pytest.mark.parametrize("said", ['openjdk version "11.0.2" 2019-01-15', 'java version "1.8.0_402"'])
    def test_an_older_one(self, said: str, tmp_path: Path) -> None:
        found = check_java(java_that_says(tmp_path / "java", said))
        assert (found.status, "Spark 4 needs 17" in found.found) == ("fail", True)

    def test_a_program_that_is_no_java(self, tmp_path: Path) -> None:
        assert check_java(java_that_says(tmp_path / "java", "hello")).status == "fail"


class TestSpark:
    def test_the_installed_one_is_tested(self) -> None:
        assert check_pyspark().status == "ok"

    @pytest.mark.parametrize(("version", "status"), [("4.0.1", "ok"), ("3.5.4", "fail"), ("4.9.0", "warn")])
    def test_others_are_told_from_it(self, version: str, status: str) -> None:
        assert judge_spark_version(version, f"Spark {version}").status == status

    def test_where_it_is_missing_the_extra_is_named_and_the_rest_is_left_out_in_words(self) -> None:
        code = """
import sys
sys.modules["pyspark"] = None
from sparkscore.cli.main import run_verb
sys.exit(run_verb("doctor", []))
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert 'pip install "sparkscore[spark]"' in done.stderr
        assert "only Spark can tell what executors have" in done.stderr
        assert "Traceback" not in done.stderr


class TestDeltaJar:
    def test_the_jar_for_this_spark(self) -> None:
        assert judge_delta_jar(JARS, "4.2.0").status == "ok"

    def test_the_jar_for_another_spark(self) -> None:
        found = judge_delta_jar(JARS, "4.1.2")
        assert (found.status, "was made for Spark 4.2" in found.found) == ("fail", True)
        assert "delta-spark_4.1_2.13" in found.cure

    def test_another_version_than_the_python_package(self) -> None:
        found = judge_delta_jar(JARS.replace("4.4.0", "4.3.1"), "4.2.0")
        assert (found.status, "the Python package delta-spark is" in found.found) == ("warn", True)

    def test_that_of_a_platform(self) -> None:
        assert judge_delta_jar("/databricks/jars/----delta.jar", "4.1.0").status == "ok"

    def test_a_folder_without_it_says_that_it_will_be_fetched(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        assert check_resolved_delta_jars().status == "warn"
