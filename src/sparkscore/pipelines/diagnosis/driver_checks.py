"""Checks of the process that `doctor` runs in: its Python, Java, Spark's and Delta's packages. Need no session."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from sparkscore.model.trust.installed_packages import read_installed_packages
from sparkscore.records.diagnosis_records import EnvironmentCheck

_LEAST_JAVA = 17
_LEAST_PYTHON = (3, 11)
TESTED_SPARKS = ("4.0", "4.1", "4.2")
_JAVA_VERSION = re.compile(r'version "(?:1\.)?(\d+)[^"]*"')
_PATIENCE_S = 30
_PACKAGES = read_installed_packages(("pyspark", "pyspark-client", "delta-spark"))
_JAVA_CURE = "apt-get install openjdk-17-jre-headless, or set JAVA_HOME to a Java of 17 or newer"
_SPARK_CURE = 'pip install "sparkscore[spark]", or run it by spark-submit on a platform that has Spark'


def check_driver_python() -> EnvironmentCheck:
    """The version of the Python that runs this."""
    found = f"Python {'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}"
    if sys.version_info[:2] < _LEAST_PYTHON:
        return EnvironmentCheck("python", "fail", found, "run it with Python 3.11 or newer")
    return EnvironmentCheck("python", "ok", found)


def check_java(environ: Mapping[str, str] = os.environ) -> EnvironmentCheck:
    """The Java that Spark would start: that of JAVA_HOME, else the first one on PATH."""
    home = environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java", path=environ.get("PATH", ""))
    if java is None:
        return EnvironmentCheck("java", "fail", "no java on PATH, and JAVA_HOME is not set", _JAVA_CURE)
    try:
        done = subprocess.run(  # noqa: S603  the Java that Spark starts, too
            [java, "-version"], capture_output=True, text=True, timeout=_PATIENCE_S, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        named = f"JAVA_HOME is {home}" if home else f"the java on PATH is {java}"
        return EnvironmentCheck("java", "fail", f"{named}, and it does not start: {type(error).__name__}", _JAVA_CURE)
    return judge_java_version(done.stderr + done.stdout, java)


def judge_java_version(said: str, where: str) -> EnvironmentCheck:
    """The version among the words of `java -version`."""
    match = _JAVA_VERSION.search(said)
    if match is None:
        return EnvironmentCheck("java", "fail", f"{where} tells no version", _JAVA_CURE)
    if int(match[1]) < _LEAST_JAVA:
        return EnvironmentCheck("java", "fail", f"Java {match[1]} at {where}; Spark 4 needs {_LEAST_JAVA}", _JAVA_CURE)
    return EnvironmentCheck("java", "ok", f"Java {match[1]} at {where}")


def check_pyspark() -> EnvironmentCheck:
    """PySpark's version, and that Delta's Python package fits it."""
    found = _PACKAGES.find_version("pyspark") or _PACKAGES.find_version("pyspark-client")
    if found is None or not _can_import("pyspark"):
        return EnvironmentCheck("spark", "fail", "pyspark is not installed", _SPARK_CURE)
    return judge_spark_version(found, f"PySpark {found}")


def judge_spark_version(found: str, shown: str) -> EnvironmentCheck:
    """Whether a version of Spark is one that the suite is tested with."""
    release = ".".join(found.split(".")[:2])
    if release in TESTED_SPARKS:
        return EnvironmentCheck("spark", "ok", shown)
    cure = f"use Spark {', '.join(TESTED_SPARKS)}"
    is_older = [int(one) for one in re.findall(r"\d+", release)[:1]] < [4]
    return EnvironmentCheck("spark", "fail" if is_older else "warn", f"{shown}, which nobody has tested", cure)


def check_resolved_delta_jars() -> EnvironmentCheck:
    """Delta's jars where Spark keeps what it has resolved: what a local session of the suite takes."""
    from sparkscore.spark.delta_jars import DELTA_PACKAGE, RESOLVED_JARS_FOLDER, find_delta_jars

    folder = Path.home() / RESOLVED_JARS_FOLDER
    if find_delta_jars(folder) is not None:
        return EnvironmentCheck("delta jar", "ok", f"{DELTA_PACKAGE} in {folder}")
    return EnvironmentCheck(
        "delta jar",
        "warn",
        f"{DELTA_PACKAGE} is not whole in {folder}: a local session fetches it from Maven",
        "start one session where Maven is reachable, or give spark-submit the jars: --jars",
    )


def judge_delta_jar(jar: str, spark_version: str) -> EnvironmentCheck:
    """Whether the jar that Spark has loaded Delta from was made for this Spark, and is the Python package's version."""
    named = re.search(r"delta-spark(?:_(\d+\.\d+))?_2\.\d+-(\d+\.\d+\.\d+)[^/]*\.jar$", jar)
    if named is None:
        return EnvironmentCheck("delta jar", "ok", f"Delta of the platform: {jar.rpartition('/')[2] or jar}")
    made_for, own = named.groups()
    release = ".".join(spark_version.split(".")[:2])
    shown = f"Delta {own} ({jar.rpartition('/')[2]})"
    if made_for is not None and made_for != release:
        return EnvironmentCheck(
            "delta jar",
            "fail",
            f"{shown} was made for Spark {made_for}, and this is Spark {spark_version}",
            f"give spark-submit the jar for this Spark: --packages io.delta:delta-spark_{release}_2.13:…",
        )
    package = _PACKAGES.find_version("delta-spark")
    if package is not None and package != own:
        return EnvironmentCheck(
            "delta jar",
            "warn",
            f"{shown}, and the Python package delta-spark is {package}",
            f"install delta-spark=={own}, or give Spark the jar of {package}",
        )
    return EnvironmentCheck("delta jar", "ok", shown)


def _can_import(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:  # another module has put None in its place
        return False
