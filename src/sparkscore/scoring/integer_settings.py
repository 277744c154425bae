"""Whether a session hands the transport pandas_udf integers as they are. Runs on the driver."""

import pyarrow as pa
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.model.signature.model_inputs import NULLABLE_INTEGERS_CONF, input_names
from sparkscore.records import ModelInput
from sparkscore.spark.settable_conf import read_setting


def check_nullable_integers(spark: SparkSession, inputs: tuple[ModelInput, ...], cure: str) -> None:
    """Refuse a model that takes integers where pandas columns of a batch with a NULL are doubles.

    Raises:  ConfigError, with the cure.
    """
    integers = [name for name, one in zip(input_names(inputs), inputs, strict=True) if pa.types.is_integer(one.type)]
    if integers and (read_setting(spark, NULLABLE_INTEGERS_CONF) or "").lower() != "true":
        raise ConfigError(
            f"the model takes integers ({', '.join(integers)}), and a batch with one NULL would turn them into doubles",
            f"{NULLABLE_INTEGERS_CONF}=true",
            cure,
        )
