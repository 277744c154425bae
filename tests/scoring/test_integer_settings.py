import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.model.signature.model_inputs import NULLABLE_INTEGERS_CONF
from sparkscore.records import ModelInput
from sparkscore.scoring.integer_settings import check_nullable_integers

INPUTS = tuple(
    ModelInput(name, kind, True) for name, kind in (("x", pa.float64()), ("n", pa.int64()), ("k", pa.int32()))
)


def test_a_session_that_would_make_doubles_of_integers_is_refused(spark: SparkSession) -> None:
    with pytest.raises(ConfigError, match=r"the model takes integers \(n, k\)") as caught:
        check_nullable_integers(spark, INPUTS, "use arrow")
    assert caught.value.do == "use arrow"
    check_nullable_integers(spark, INPUTS[:1], "use arrow")
    session = spark.newSession()
    session.conf.set(NULLABLE_INTEGERS_CONF, "true")
    check_nullable_integers(session, INPUTS, "use arrow")
