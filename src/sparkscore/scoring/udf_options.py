"""What `score_udf` takes because `mlflow.pyfunc.spark_udf` does. Runs on the driver."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import yaml
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_type, to_arrow_type
from pyspark.sql.types import DataType

from sparkscore.errors import ConfigError
from sparkscore.spark.settable_conf import read_setting

ModelConfig = str | Path | Mapping[str, Any] | None
"""What overrides a model's `model_config`: the values, or a YAML file with them."""

_ARCHIVES_CONFS = ("spark.archives", "spark.yarn.dist.archives", "spark.submit.pyFiles")
_PACK_ENV_ADVICE = (
    "make an archive of the model's environment once (`sparkscore pack-env`), and start Spark with it:"
    " --archives ARCHIVE#environment --conf spark.pyspark.python=./environment/bin/python"
)


def parse_result_type(result_type: DataType | str | None) -> pa.DataType | None:
    """The Arrow type of one prediction, from Spark's type or its text: `double`, `array<float>`, `a int, b string`.

    Raises:  ConfigError for what is no type, or one that Arrow does not have.
    """
    if result_type is None:
        return None
    try:
        kind = DataType.fromDDL(_to_ddl(result_type)) if isinstance(result_type, str) else result_type
        wanted = to_arrow_type(kind, timezone="UTC")
        is_same = from_arrow_type(wanted, prefer_timestamp_ntz=True).simpleString() == kind.simpleString()
        if not is_same or _has_variant(wanted):
            raise TypeError(f"Arrow has no type for {kind.simpleString()}")
        return wanted
    except (PySparkException, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"the result_type {result_type!r}: {str(error).strip().partition(chr(10))[0][:200]}",
            "a type of Spark, or its text: double, array<float>, a int, b string, map<string, double>",
            "check result_type",
        ) from error


def _has_variant(kind: pa.DataType) -> bool:
    """Whether there is a variant in it, which Spark hands over as a struct of bytes."""
    fields = [kind.field(index) for index in range(kind.num_fields)]
    return any(one.metadata and b"variant" in one.metadata for one in fields) or any(
        _has_variant(one.type) for one in fields
    )


def _to_ddl(text: str) -> str:
    return "boolean" if text.strip() == "bool" else text


def read_model_config(config: ModelConfig) -> dict[str, Any]:
    """The values that override a model's own configuration.

    Raises:  ConfigError for a file that cannot be read, or holds no mapping of plain values.
    """
    try:
        values = yaml.safe_load(Path(config).read_text(encoding="utf-8")) if isinstance(config, str | Path) else config
        found = dict(values or {})
        json.dumps(found)
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise ConfigError(
            f"model_config: {type(error).__name__}",
            "a mapping of plain values, or the path of a YAML file with one",
            "check model_config",
        ) from error
    return found


def check_environment(spark: SparkSession, env_manager: str | None, prebuilt_env_uri: str | None) -> None:
    """Refuse an environment that the session's workers do not have: Spark starts them before it knows the model.

    Raises:  ConfigError, with the way to have it.
    """
    if prebuilt_env_uri is not None:
        return _check_prebuilt_environment(spark, prebuilt_env_uri)
    if env_manager not in (None, "local"):
        raise ConfigError(f"env_manager {env_manager!r}", "local: the Python that the workers have", _PACK_ENV_ADVICE)
    return None


def _check_prebuilt_environment(spark: SparkSession, uri: str) -> None:
    name = PurePosixPath(urlsplit(uri).path).name
    shipped = ",".join(read_setting(spark, conf) or "" for conf in _ARCHIVES_CONFS)
    if not name or all(PurePosixPath(one.partition("#")[0]).name != name for one in shipped.split(",")):
        raise ConfigError(
            f"prebuilt_env_uri is {uri}, and the session has no archive {name}",
            "an archive that the session was started with: its workers run in that environment",
            _PACK_ENV_ADVICE,
        )


def freeze_variables(extra_env: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """The variables, as they travel with the model.

    Raises:  ConfigError for names and values that no environment can have.
    """
    given: Mapping[Any, Any] = extra_env or {}  # whatever the annotation says
    for name, value in given.items():
        is_text = isinstance(name, str) and isinstance(value, str)
        if not is_text or not name or "=" in name or "\0" in name + value:
            raise ConfigError(
                f"extra_env has {name!r}: {type(value).__name__}", "names and values that are text", "check extra_env"
            )
    return tuple(sorted(given.items()))
