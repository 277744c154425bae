"""Whether somebody else than this project configures Spark here. Asks the environment alone."""

import os
from pathlib import Path

import pyspark

HADOOP_CONF_VARIABLES = ("HADOOP_CONF_DIR", "YARN_CONF_DIR")
_CONF_FILES = ("spark-defaults.conf", "spark-env.sh", "*-site.xml")
_JAR_WORDS = ("jars", "packages", "class-path", "classpath", "properties-file")


def has_outside_conf() -> bool:
    """Whether files or variables may tell Spark, and the Hadoop in it, more than this project does."""
    folder = _spark_conf_folder()
    return any(name in os.environ for name in HADOOP_CONF_VARIABLES) or any(
        any(folder.glob(name)) for name in _CONF_FILES
    )


def has_outside_options() -> bool:
    """Whether somebody has named options for Spark, to be read where Python starts it."""
    return os.environ.get("PYSPARK_SUBMIT_ARGS", "").split() not in ([], ["pyspark-shell"])


def has_outside_jars() -> bool:
    """Whether somebody may have said which jars Spark has: of two class paths one takes the place of the other."""
    options = os.environ.get("PYSPARK_SUBMIT_ARGS", "").lower()
    return any(word in options for word in _JAR_WORDS) or Path(_spark_conf_folder(), "spark-defaults.conf").exists()


def _spark_conf_folder() -> Path:
    home = os.environ.get("SPARK_HOME") or Path(pyspark.__file__).parent
    return Path(os.environ.get("SPARK_CONF_DIR") or Path(home, "conf"))
