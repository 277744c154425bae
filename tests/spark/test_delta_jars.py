"""Delta's jars: by their files where Spark has resolved them before, else by their name."""

import shutil
from pathlib import Path

import pytest

from sparkscore.spark import delta_jars
from sparkscore.spark.delta_jars import (
    DELTA_PACKAGE,
    RESOLVED_JARS_FOLDER,
    choose_delta_conf,
    find_delta_jars,
    name_delta_package,
)

LISTED = Path(delta_jars.__file__).with_name("delta-jars.sha256")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home in which Spark has resolved two jars, which are all that there are."""
    digests = {"a.jar": "b" * 64, "b.jar": "c" * 64}
    folder = tmp_path / RESOLVED_JARS_FOLDER
    folder.mkdir(parents=True)
    for name in digests:
        (folder / name).write_text(name)
    listed = tmp_path / "list"
    listed.write_text("".join(f"{delta_jars._file_digest(folder / name)}  {name}\n" for name in digests))
    monkeypatch.setattr(delta_jars, "_DIGESTS", listed)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PYSPARK_SUBMIT_ARGS", raising=False)
    return tmp_path


def test_the_list_is_of_the_version_that_is_resolved() -> None:
    organisation, name, version = DELTA_PACKAGE.split(":")
    names = [line.split()[1] for line in LISTED.read_text().splitlines()]
    assert f"{organisation}_{name}-{version}.jar" in names
    assert all(version in one for one in names if one.startswith(organisation))


@pytest.mark.parametrize(
    ("spark", "artifact"),
    [("4.0.1", "delta-spark_4.0_2.13"), ("4.1.0", "delta-spark_4.1_2.13"), ("4.2.0", "delta-spark_4.2_2.13")],
)
def test_each_spark_has_the_jars_that_fit_it(spark: str, artifact: str) -> None:
    organisation, name, version = name_delta_package(spark).split(":")
    assert (organisation, name) == ("io.delta", artifact)
    assert version == DELTA_PACKAGE.split(":")[2]


def test_an_older_spark_does_not_take_the_jars_of_this_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta_jars, "_read_spark_version", lambda: "4.0.1")
    assert choose_delta_conf()["spark.jars.packages"] == name_delta_package("4.0.1")


def test_files_that_are_there_need_not_be_resolved(home: Path) -> None:
    folder = home / RESOLVED_JARS_FOLDER
    path = f"{folder}/a.jar:{folder}/b.jar"
    assert choose_delta_conf() == {f"spark.{process}.extraClassPath": path for process in ("driver", "executor")}


@pytest.mark.parametrize("content", ["else", None])
def test_a_jar_that_is_missing_or_another_is_resolved(home: Path, content: str | None) -> None:
    jar = home / RESOLVED_JARS_FOLDER / "b.jar"
    jar.unlink()
    if content is not None:
        jar.write_text(content)
    assert choose_delta_conf()["spark.jars.packages"] == DELTA_PACKAGE


@pytest.mark.parametrize(
    "options", ["--packages a:b:1 pyspark-shell", "--conf spark.driver.extraClassPath=x pyspark-shell", "--jars x"]
)
def test_where_somebody_names_jars_spark_resolves_delta_beside_them(
    home: Path, options: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", options)
    assert "spark.jars.packages" in choose_delta_conf()
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--driver-memory 2g pyspark-shell")
    assert "spark.driver.extraClassPath" in choose_delta_conf()


def test_a_spark_defaults_conf_may_name_jars(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_CONF_DIR", str(home))
    (home / "spark-defaults.conf").touch()
    assert "spark.jars.packages" in choose_delta_conf()


def test_a_folder_that_a_class_path_cannot_name_has_none(home: Path) -> None:
    for name, jars in (("ab", 2), ("a:b", 0)):
        shutil.copytree(home / RESOLVED_JARS_FOLDER, home / name)
        assert len(find_delta_jars(home / name) or ()) == jars
